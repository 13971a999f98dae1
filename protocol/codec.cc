// SPDX-License-Identifier: MIT
#include "protocol/codec.h"

#include <array>
#include <concepts>
#include <type_traits>
#include <utility>

#include "protocol/entries.h"
#include "protocol/wire.h"

namespace xs {
namespace {

using wire::malformed;

void check_text(std::string_view text) {
  if (text.size() > limits::kText)
    malformed("a text is over its limit of " + std::to_string(limits::kText));
  if (text.find('\0') != std::string_view::npos) malformed("a text holds a NUL");
}

void check_path(std::string_view path) {
  if (!valid_path(path)) malformed("a bad path");
}

template <class V>
void check_sorted(const V& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) {
    check_path(paths[i]);
    if (i > 0 && !path_less(paths[i - 1], paths[i])) malformed("paths out of order");
  }
}

template <class V>
void check_ascending(const V& numbers) {
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    if (numbers[i] <= numbers[i - 1]) malformed("numbers out of order");
  }
}

template <class T>
concept HasFields = requires(T& value) {
  T::fields(value, [](auto&&...) {});
};

// ---- to bytes
// ---------------------------------------------------------------------------------------------

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  template <class... F>
  void operator()(F&&... fields) {
    (put(fields), ...);
  }

 private:
  void put(bool value) { out_ += value ? '\1' : '\0'; }
  template <std::unsigned_integral I>
  void put(I value) {
    wire::put_number(out_, value);
  }
  void put(Fault fault) { out_ += static_cast<char>(fault); }
  template <class E>
  requires std::is_enum_v<E>
  void put(E value) { out_ += static_cast<char>(value); }
  template <class E>
  void put(Flags<E> flags) {
    wire::put_number(out_, flags.bits());
  }
  void put(const Digest& digest) {
    out_.append(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  }
  void put(const Entries& entries) { encode_entries(entries, out_); }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <HasFields T>
  void put(const T& value) {
    T::fields(value, *this);
  }
  template <std::size_t N, class S>
  void put(BlobOf<N, S> field) {
    put_limited(field.value, N);
  }
  template <class S>
  void put(Text<S> field) {
    check_text(field.value);
    wire::put_bytes(out_, field.value);
  }
  template <class S>
  void put(Path<S> field) {
    check_path(field.value);
    wire::put_bytes(out_, field.value);
  }
  template <class V>
  void put(Paths<V> field) {
    check_sorted(field.value);
    wire::put_number(out_, field.value.size());
    for (const auto& path : field.value) wire::put_bytes(out_, path);
  }
  template <std::size_t N, class I>
  void put(AtMostOf<N, I> field) {
    if (field.value > N) malformed("a number is over its limit of " + std::to_string(N));
    wire::put_number(out_, field.value);
  }
  template <std::size_t N, class V>
  void put(Fixed64sOf<N, V> field) {
    put_count(field.value.size(), N);
    for (const std::uint64_t one : field.value) wire::put_fixed64(out_, one);
  }
  template <std::size_t N, class V>
  void put(AscendingOf<N, V> field) {
    put_count(field.value.size(), N);
    check_ascending(field.value);
    for (const auto one : field.value) wire::put_number(out_, one);
  }
  template <std::size_t N, class V>
  void put(ItemsOf<N, V> field) {
    put_count(field.value.size(), N);
    for (const auto& item : field.value) put(item);
  }
  template <std::size_t N, std::size_t M, class V>
  void put(ListOf<N, M, V> field) {
    put_count(field.value.size(), N);
    for (const auto& item : field.value) put_limited(item, M);
  }

  void put_count(std::size_t count, std::size_t max) {
    if (count > max)
      malformed(std::to_string(count) + " items are over the limit of " + std::to_string(max));
    wire::put_number(out_, count);
  }
  void put_limited(std::string_view bytes, std::size_t max) {
    if (bytes.size() > max) {
      malformed(std::to_string(bytes.size()) + " bytes are over the limit of " +
                std::to_string(max));
    }
    wire::put_bytes(out_, bytes);
  }

  std::string& out_;
};

// ---- from bytes
// -------------------------------------------------------------------------------------------

class Decoder {
 public:
  Decoder(std::string_view payload, Features negotiated) : in_(payload), negotiated_(negotiated) {}

  template <class... F>
  void operator()(F&&... fields) {
    (get(fields), ...);
  }
  void expect_end() const { in_.expect_end(); }

 private:
  void get(bool& value) {
    const std::uint8_t raw = in_.byte();
    if (raw > 1) malformed("a yes or no is " + std::to_string(raw));
    value = raw == 1;
  }
  template <std::unsigned_integral I>
  void get(I& value) {
    value = static_cast<I>(in_.number(std::numeric_limits<I>::max()));
  }
  void get(Fault& fault) {
    const std::uint8_t raw = in_.byte();
    const FaultInfo* known = find_fault(raw);
    if (known == nullptr) malformed("unknown fault class " + std::to_string(raw));
    fault = known->fault;
  }
  template <class E>
  requires std::is_enum_v<E>
  void get(E& value) {
    const std::uint8_t raw = in_.byte();
    if (raw > static_cast<std::uint8_t>(kLast<E>))
      malformed("unknown value " + std::to_string(raw));
    value = static_cast<E>(raw);
  }
  template <class E>
  void get(Flags<E>& flags) {
    const auto bits = static_cast<std::uint32_t>(in_.number(~std::uint32_t{0}));
    if ((bits & ~kKnown<E>) != 0) malformed("unknown flags");
    flags = Flags<E>::from_bits(bits);
  }
  void get(Digest& digest) {
    const std::string_view raw = in_.raw(digest.bytes.size());
    std::copy(raw.begin(), raw.end(), digest.bytes.begin());
  }
  void get(Entries& entries) { entries = decode_entries(in_, negotiated_); }
  template <class T>
  void get(std::optional<T>& value) {
    bool present = false;
    get(present);
    if (present) get(value.emplace());
  }
  template <HasFields T>
  void get(T& value) {
    T::fields(value, *this);
  }
  template <std::size_t N, class S>
  void get(BlobOf<N, S> field) {
    field.value = in_.bytes(N, "blob");
  }
  template <class S>
  void get(Text<S> field) {
    field.value = in_.bytes(limits::kText, "text");
    check_text(field.value);
  }
  template <class S>
  void get(Path<S> field) {
    field.value = in_.bytes(limits::kPath, "path");
    check_path(field.value);
  }
  template <class V>
  void get(Paths<V> field) {
    field.value.resize(in_.count(limits::kManifest));
    for (auto& path : field.value) path = in_.bytes(limits::kPath, "path");
    check_sorted(field.value);
  }
  template <std::size_t N, class I>
  void get(AtMostOf<N, I> field) {
    field.value = static_cast<I>(in_.number(N));
  }
  template <std::size_t N, class V>
  void get(Fixed64sOf<N, V> field) {
    const std::size_t count = in_.count(N);
    if (count > in_.left() / sizeof(std::uint64_t)) malformed("more numbers than can follow");
    field.value.resize(count);
    for (std::uint64_t& one : field.value) one = in_.fixed64();
  }
  template <std::size_t N, class V>
  void get(AscendingOf<N, V> field) {
    field.value.resize(in_.count(N));
    for (auto& one : field.value) get(one);
    check_ascending(field.value);
  }
  template <std::size_t N, class V>
  void get(ItemsOf<N, V> field) {
    field.value.resize(in_.count(N));
    for (auto& item : field.value) get(item);
  }
  template <std::size_t N, std::size_t M, class V>
  void get(ListOf<N, M, V> field) {
    field.value.resize(in_.count(N));
    for (auto& item : field.value) item = in_.bytes(M, "list item");
  }

  wire::Reader in_;
  Features negotiated_;
};

// ---- messages
// ---------------------------------------------------------------------------------------------

template <class M>
void check_whole(const M& message) {
  if constexpr (requires { M::valid(message); }) {
    if (!M::valid(message)) malformed("its fields contradict each other");
  }
}

template <class M>
Message decode_as(std::string_view payload, Features negotiated) {
  M message;
  Decoder decoder(payload, negotiated);
  M::fields(message, decoder);
  decoder.expect_end();
  check_whole(message);
  return message;
}

struct Row {
  Spec spec;
  Message (*decode)(std::string_view, Features);
};

template <std::size_t... I>
constexpr auto make_rows(std::index_sequence<I...>) {
  return std::array<Row, sizeof...(I)>{Row{std::variant_alternative_t<I, Message>::spec,
                                           &decode_as<std::variant_alternative_t<I, Message>>}...};
}

constexpr auto kRows = make_rows(std::make_index_sequence<std::variant_size_v<Message>>());

constexpr bool numbered_in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].spec.number != i + 1) return false;
  }
  return true;
}
static_assert(numbered_in_order(), "the place of a message in the variant is its number");

const Row* find_row(std::uint8_t number) {
  return number >= 1 && number <= kRows.size() ? &kRows[number - 1U] : nullptr;
}

[[noreturn]] void rethrow_named(const Error& error, std::string_view verb, const Spec& spec) {
  throw Error(error.fault(),
              std::string(verb) + " " + std::string(spec.name) + " message: " + error.text());
}

}  // namespace

void encode(const Message& message, std::string& out) {
  const std::size_t start = out.size();
  const Spec& spec = spec_of(message);
  try {
    std::visit(
        [&](const auto& m) {
          check_whole(m);
          Encoder encoder(out);
          std::remove_cvref_t<decltype(m)>::fields(m, encoder);
        },
        message);
    const std::size_t size = out.size() - start;
    if (size > spec.limit) {
      malformed(std::to_string(size) + " bytes are over its limit of " +
                std::to_string(spec.limit));
    }
  } catch (const Error& error) {
    out.resize(start);
    rethrow_named(error, "cannot send a", spec);
  }
}

const Spec* find_spec(std::uint8_t number) {
  const Row* row = find_row(number);
  return row == nullptr ? nullptr : &row->spec;
}

Message decode(std::uint8_t number, std::string_view payload, Features negotiated) {
  const Row* row = find_row(number);
  if (row == nullptr) malformed("unknown message number " + std::to_string(number));
  try {
    if (payload.size() > row->spec.limit) malformed("it is over its size limit");
    return row->decode(payload, negotiated);
  } catch (const Error& error) {
    rethrow_named(error, "malformed", row->spec);
  }
}

}  // namespace xs

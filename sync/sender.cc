// SPDX-License-Identifier: MIT
#include "sync/sender.h"

#include <map>
#include <variant>

#include "base/text.h"
#include "sync/delta.h"
#include "sync/entries_builder.h"
#include "sync/served_tree.h"

namespace xs {
namespace {

// A part of a manifest leaves when it weighs this much: long before its limit, so that the client
// can begin.
constexpr std::size_t kPartWeight = std::size_t{256} << 10;
constexpr std::size_t kPartNames = 2000;
constexpr std::string_view kNothingToDo = "nothing to do";

class Session {
 public:
  Session(Channel& channel, const SenderConfig& config, Clock& clock)
      : channel_(channel), config_(config), clock_(clock) {}

  std::string run() {
    channel_.greet();
    std::optional<Hello> early = scan_ahead();
    const Hello hello = early ? *std::move(early) : channel_.accept();
    if (config_.account != nullptr) config_.account->hello = hello;
    if (hello.root.empty()) return talk(hello);
    if (!foreseen(hello)) tree_.reset();
    config_ = choose(hello.root);
    check();
    channel_.welcome({hello.features, config_.version, config_.mandatory.to_wire()});
    if (tree_)
      tree_->compare_as(hello.options);
    else
      tree_.emplace(config_.root, rules(hello.options, FilterList::from_wire(hello.filters)),
                    clock_);
    return dialogue(hello);
  }

 private:
  struct Unforeseen {};

  // The scan need not wait for the hello. Gives that back where it came meanwhile; one that wants
  // something else ends the scan at once. What goes wrong with the tree is left to the scan for the
  // hello; what goes wrong with the channel is the end.
  std::optional<Hello> scan_ahead() {
    std::optional<Hello> hello;
    if (!config_.expected || config_.root.empty()) return hello;
    bool broken = false;
    const auto listen = [&] {
      broken = true;
      std::optional<Message> message;
      if (hello)
        channel_.pulse();
      else
        message = channel_.try_receive();
      broken = false;
      if (!message) return;
      hello = std::get<Hello>(std::move(*message));
      if (!foreseen(*hello)) throw Unforeseen();
    };
    try {
      listen();
      if (hello) return hello;
      ServedRules ahead = rules(config_.expected->options, config_.expected->filters);
      ahead.pulse = listen;
      tree_.emplace(config_.root, std::move(ahead), clock_);
      tree_->set_pulse([this] { channel_.pulse(); });
    } catch (const Unforeseen&) {
      tree_.reset();
    } catch (const Error&) {
      if (broken) throw;
      tree_.reset();
    }
    return hello;
  }

  SenderConfig choose(const std::string& asked) const {
    if (config_.choose) return config_.choose(asked);
    if (!config_.root.empty() && asked == config_.root) return config_;
    throw Error(Fault::Selection, "this server does not serve " + quote(asked));
  }

  // Whether the tree that was scanned ahead is the one that the client wants.
  bool foreseen(const Hello& hello) const try {
    if (!config_.expected || !ServedTree::same_walk(config_.expected->options, hello.options) ||
        config_.expected->filters.to_wire() != hello.filters) {
      return false;
    }
    const SenderConfig chosen = choose(hello.root);
    return chosen.root == config_.root && chosen.below == config_.below &&
           chosen.mandatory == config_.mandatory;
  } catch (const Error&) {
    return false;  // the same error is the client's answer in a moment
  }

  void check() const {
    if (config_.check) config_.check();
  }

  ServedRules rules(const Options& options, const FilterList& filters) {
    return {options, filters.with_mandatory(config_.mandatory), [this] { channel_.pulse(); },
            config_.below, config_.max_entries};
  }

  std::string talk(const Hello& hello) {
    channel_.welcome({hello.features, config_.version, config_.mandatory.to_wire()});
    return goodbye(channel_.receive());  // the channel itself answers the pings
  }

  static std::string goodbye(const Message& message) {
    if (const auto* bye = std::get_if<Bye>(&message)) return bye->outcome;
    throw Error(Fault::Protocol,
                "a " + std::string(spec_of(message).name) + " message where a bye was due");
  }

  std::string dialogue(const Hello& hello) {
    inline_limit_ = hello.options.inline_limit;
    IndexDifference first;
    if (hello.index) first = tree_->against(*hello.index, inline_limit_);
    const bool comparable = hello.options.compare != Compare::Always && first.empty();
    if (comparable && hello.generation && *hello.generation == tree_->generation()) {
      check();
      if (config_.account != nullptr) config_.account->unchanged = true;
      channel_.send(Unchanged{*hello.generation, tree_->tree().problems});
      channel_.finish(std::string(kNothingToDo));  // the client has nothing to say, either
      return std::string(kNothingToDo);
    }
    if (!hello.index) first = tree_->everything();
    // Without an index the client may have most of it already: let it ask.
    bool complete = send_difference<Manifest>(first, hello.index.has_value());
    for (int round = 0; round <= config_.rounds; ++round) {
      if (!complete) serve_wants();
      check();
      const Difference moved =
          tree_->look_again([this](const std::vector<std::uint32_t>& places) { renumber(places); });
      check();
      if (moved.empty()) return seal();
      complete = send_difference<Changed>(moved, true);
    }
    throw Error(Fault::Vanished, "the source kept changing: given up after " +
                                     std::to_string(config_.rounds) + " rounds");
  }

  std::string seal() {
    const ScanResult& tree = tree_->tree();
    channel_.send(Seal{tree_->generation(), tree.entries.list.size(), tree.bytes});
    return last_words();
  }

  // How it went at the client. Nothing depends on it any more, so that it never comes is no
  // failure.
  std::string last_words() {
    try {
      return goodbye(channel_.receive());
    } catch (const Error& error) {
      if (error.fault() != Fault::Stream && error.fault() != Fault::Timeout) throw;
      return "sealed; the client left without a word";
    }
  }

  void renumber(const std::vector<std::uint32_t>& places) {
    for (std::uint32_t& at : sent_) {
      if (at != ServedTree::kGone) at = places[at];
    }
  }

  // Sends entries and what is gone, in parts. True when nothing of it can be wanted.
  template <class M, class Name>
  bool send_difference(const DifferenceBy<Name>& difference, bool may_inline) {
    const ScanResult& tree = tree_->tree();
    EntriesBuilder part;
    bool complete = true;
    for (const std::uint32_t at : difference.entries) {
      Entry entry = may_inline ? inlined(at) : tree.entries.list[at];
      complete = complete && (entry.type != EntryType::File || entry.inlined);
      sent_.push_back(at);
      if (config_.account != nullptr) ++config_.account->entries;
      part.add(tree.entries, std::move(entry));
      if (part.weight() >= kPartWeight) channel_.send(M{part.take(), {}, {}, Part::More});
    }
    std::vector<Name> gone;
    for (const Name& name : difference.gone) {
      gone.push_back(name);
      if (gone.size() == kPartNames) channel_.send(M{{}, std::exchange(gone, {}), {}, Part::More});
    }
    channel_.send(
        M{part.take(), std::move(gone), tree.problems, complete ? Part::Complete : Part::Last});
    return complete;
  }

  // Where that fails the entry goes without, the client asks for it, and hears why it cannot have
  // it.
  Entry inlined(std::uint32_t at) {
    const Entry& listed = tree_->tree().entries.list[at];
    if (listed.type != EntryType::File || listed.size > inline_limit_) return listed;
    std::string bytes;
    bytes.reserve(listed.size);
    const FileEnd end = tree_->read(at, [&](std::string_view piece) { bytes += piece; });
    Entry entry = listed;
    if (end.result != FileResult::Complete || bytes.size() != entry.size) return entry;
    entry.content = std::move(bytes);
    entry.inlined = true;
    count_file(entry.size);
    return entry;
  }

  void count_file(std::uint64_t bytes) {
    if (config_.account == nullptr) return;
    ++config_.account->files;
    config_.account->bytes += bytes;
  }

  void serve_wants() {
    std::map<std::uint32_t, Signature> parts;  // signatures of which more is to come
    for (;;) {
      Message message = channel_.receive();
      if (std::holds_alternative<Enough>(message)) {
        if (!parts.empty()) throw Error(Fault::Protocol, "enough, in the middle of a signature");
        return;
      }
      const auto* want = std::get_if<Want>(&message);
      if (want == nullptr) {
        throw Error(Fault::Protocol,
                    "a " + std::string(spec_of(message).name) + " message where a want was due");
      }
      if (want->file >= sent_.size() || !is_file(sent_[want->file])) {
        throw Error(Fault::Protocol, "a want for what is no file of this session");
      }
      if (parts.size() > 1) throw Error(Fault::Protocol, "signatures of several files at once");
      const bool whole = want->last && want->signature.empty() && parts.count(want->file) == 0;
      if (whole) {
        send_file(want->file, nullptr);
        continue;
      }
      Signature& signature = parts[want->file];
      signature.feed(want->signature);
      if (!want->last) continue;
      signature.finish();
      send_file(want->file, &signature);
      parts.erase(want->file);
    }
  }

  bool is_file(std::uint32_t at) const {
    return at != ServedTree::kGone && tree_->tree().entries.list[at].type == EntryType::File;
  }

  void send_file(std::uint32_t number, const Signature* basis) {
    const std::uint32_t entry = sent_[number];
    const std::uint64_t size = tree_->tree().entries.list[entry].size;
    channel_.send(File{number, basis == nullptr ? Form::Whole : Form::Delta, size});
    FileEnd end;
    if (basis == nullptr) {
      end = tree_->read(entry,
                        [&](std::string_view piece) { channel_.send(Data{std::string(piece)}); });
    } else {
      DeltaMaker delta(*basis);
      const Sink sink = [&](std::string_view piece) { channel_.send(Delta{std::string(piece)}); };
      end = tree_->read(entry, [&](std::string_view piece) { delta.feed(piece, sink); });
      if (end.result == FileResult::Complete) delta.finish(sink);
    }
    if (end.result == FileResult::Complete) count_file(size);
    channel_.send(end);
  }

  Channel& channel_;
  SenderConfig config_;
  Clock& clock_;
  std::optional<ServedTree> tree_;
  std::uint32_t inline_limit_ = 0;
  // What the client counts, in its order: which entry of the tree it is now.
  std::vector<std::uint32_t> sent_;
};

}  // namespace

std::string serve(Channel& channel, const SenderConfig& config, Clock& clock) {
  try {
    return Session(channel, config, clock).run();
  } catch (const Error& error) {
    channel.abort(error);
    throw;
  }
}

}  // namespace xs

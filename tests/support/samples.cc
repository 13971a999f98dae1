// SPDX-License-Identifier: MIT
#include "tests/support/samples.h"

#include "protocol/frame.h"

namespace xs::test {
namespace {

constexpr std::int64_t kTime =
    1'489'146'121'123'456'789;  // 2017-03-10, the day of the guide's log sample

Entry entry(std::string path, EntryType type, std::uint16_t mode) {
  Entry made;
  made.path = std::move(path);
  made.type = type;
  made.mode = mode;
  made.mtime_ns = kTime;
  return made;
}

Entry file(std::string path, std::uint64_t size) {
  Entry made = entry(std::move(path), EntryType::File, 0640);
  made.size = size;
  made.digest = sample_digest(static_cast<std::uint8_t>(size));
  return made;
}

Entries small_entries() {
  Entries entries;
  entries.users = {{"xroad", 998}};
  entries.groups = {{"xroad", 997}};
  entries.list = {file("signer/keyconf.xml", 1886)};
  return entries;
}

}  // namespace

Digest sample_digest(std::uint8_t first) {
  Digest digest;
  for (std::uint8_t& byte : digest.bytes) byte = first++;
  return digest;
}

Entries sample_entries() {
  Entries entries;
  entries.users = {{"root", 0}, {"xroad", 998}, {"", 4711}};
  entries.groups = {{"root", 0}, {"xroad", 997}};
  Entry root = entry("", EntryType::Dir, 0755);
  Entry conf = entry("conf.d", EntryType::Dir, 0750);
  conf.owner = conf.group = 1;
  Entry local = file("conf.d/local.ini", 12);
  local.owner = local.group = 1;
  local.inlined = true;
  local.content = "[proxy]\na=b\n";
  Entry link = entry("current", EntryType::Symlink, 0777);
  link.content = "conf.d/local.ini";
  link.owner = 2;
  Entry device = entry("dev", EntryType::CharDevice, 0600);
  device.size = 0x103;
  Entry fifo = entry("fifo", EntryType::Fifo, 0600);
  fifo.mtime_ns = -1;
  Entry key = file("signer/softtoken/.softtoken.p12", 70'000);
  key.owner = key.group = 1;
  key.xattrs = {{"user.note", std::string("a\0b", 3)}, {"user.other", ""}};
  Entry twin = entry("signer/softtoken/twin", EntryType::Hardlink, 0640);
  twin.content = "signer/softtoken/.softtoken.p12";
  twin.owner = twin.group = 1;
  Entry odd = file("z\n\xFF", 0);
  odd.mtime_ns = 0;
  entries.list = {root, conf, local, link, device, fifo, key, twin, odd};
  return entries;
}

std::vector<Message> samples() {
  Hello hello{kOurFeatures,
              "xroad-sync 0.1.0",
              "/etc/xroad",
              {},
              {"- *.tmp", "- /conf.d/node.ini"},
              {},
              {}};
  hello.options = {Compare::Quick, {Keep::Permissions, Keep::Times}, {Scan::Recursive}, 4096};
  hello.generation = sample_digest(1);
  hello.index = Index{0x0123'4567'89AB'CDEF, {1, ~std::uint64_t{0}, 0xFEDC'BA98'7654'3210}};
  return {
      hello,
      Welcome{
          {Feature::Zstd, Feature::Specials}, "xroad-sync-server 0.1.0", {"- /conf.d/node.ini"}},
      Unchanged{sample_digest(2), {{"gpghome", "Permission denied"}}},
      Manifest{sample_entries(), {0, 7, 32'767}, {{"gpghome", "Permission denied"}}, Part::Last},
      Want{300, "signature", false},
      File{300, Form::Delta, 70'000},
      Data{"bytes of a file"},
      Delta{std::string("\x72\x73\x02\x36", 4)},
      FileEnd{FileResult::Complete, sample_digest(3), ""},
      Seal{sample_digest(4), 252, 3'145'728},
      Changed{small_entries(), {"gone"}, {}, Part::Complete},
      Ping{PingKind::Question, "are you there"},
      Bye{"3 files changed"},
      Abort{Fault::Vanished, "the source kept changing"},
      Enough{300},
  };
}

std::string frame_of(const Message& message) {
  std::string bytes;
  FrameWriter().append(message, bytes);
  return bytes;
}

std::string golden_path(const Message& message) {
  return std::string(XS_SOURCE_DIR "/tests/golden/") + std::string(spec_of(message).name) + ".bin";
}

}  // namespace xs::test

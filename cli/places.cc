// SPDX-License-Identifier: MIT
#include "cli/places.h"

#include "base/error.h"
#include "base/text.h"

namespace xs::cli {
namespace {

[[noreturn]] void unsupported(const std::string& what) { throw Error(Fault::Unsupported, what); }
[[noreturn]] void usage(const std::string& what) {
  throw Error(Fault::Usage, what + " (xroad-sync --help)");
}

// Where the colon stands that divides host and path; npos for a local name. As rsync does it, a
// slash in front of the colon makes the name a local one, and brackets hide an address's colons.
std::size_t host_end(const std::string& name) {
  std::size_t from = 0;
  const std::size_t bracket = name.find('[');
  if (bracket != std::string::npos && (bracket == 0 || name[bracket - 1] == '@')) {
    const std::size_t close = name.find(']', bracket);
    if (close != std::string::npos) from = close + 1;
  }
  const std::size_t colon = name.find(':', from);
  const std::size_t slash = name.find('/', from);
  return slash < colon ? std::string::npos : colon;
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// "/etc/xroad/" and "/etc/xroad/." are what is in it.
std::string contents_path(const std::string& source, std::string path) {
  if (path.empty() || path.front() != '/')
    usage("the path in " + quote(source) + " is not absolute: write HOST:/PATH/");
  if (path.ends_with("/.")) path.pop_back();
  if (path.back() != '/') {
    const std::string base = path.substr(path.rfind('/') + 1);
    unsupported("a source without a trailing slash: rsync would make " + quote(base) +
                " inside the destination; write " + quote(source + "/") +
                " and name the destination in full");
  }
  return without_slashes(path);
}

void check_destination(const std::string& destination) {
  if (destination.empty()) usage("the destination is empty");
  if (destination.starts_with("rsync://")) unsupported("an rsync daemon: " + quote(destination));
  if (host_end(destination) != std::string::npos)
    unsupported("a push to " + quote(destination) +
                ": run xroad-sync on the node that is to be changed");
}

void check_source(const std::string& source) {
  if (source.starts_with("rsync://"))
    unsupported("an rsync daemon: " + quote(source) + "; write [USER@]HOST:/PATH/");
  const std::size_t colon = host_end(source);
  if (colon == std::string::npos)
    unsupported("a source on this node: " + quote(source) + "; write [USER@]HOST:/PATH/");
  if (source.compare(colon, 2, "::") == 0)
    unsupported("an rsync daemon: " + quote(source) + "; write [USER@]HOST:/PATH/");
}

}  // namespace

Places parse_places(const std::vector<std::string>& names) {
  if (names.size() == 1) {
    check_source(names[0]);
    unsupported("a source without a destination, which rsync would list: " + quote(names[0]));
  }
  if (names.size() != 2)
    unsupported("several sources: one run copies one tree, so that it can be all or nothing");
  check_destination(names[1]);
  check_source(names[0]);
  const std::string& source = names[0];
  const std::size_t colon = host_end(source);
  Places places;
  places.host = source.substr(0, colon);
  const std::size_t at = places.host.rfind('@');
  if (at != std::string::npos) {
    places.user = places.host.substr(0, at);
    places.host.erase(0, at + 1);
    if (places.user->empty()) usage("the user in " + quote(source) + " is empty");
  }
  if (places.host.size() > 2 && places.host.front() == '[' && places.host.back() == ']')
    places.host = places.host.substr(1, places.host.size() - 2);
  if (places.host.empty()) usage("the host in " + quote(source) + " is empty");
  places.path = contents_path(source, source.substr(colon + 1));
  places.destination = without_slashes(names[1]);
  return places;
}

}  // namespace xs::cli

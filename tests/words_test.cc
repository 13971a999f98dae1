// SPDX-License-Identifier: MIT
#include "cli/words.h"

#include <sstream>

#include "cli/options.h"
#include "cli/places.h"
#include "cli/rsync_options.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::cli;

namespace {

// "--exclude=a -a --no-perms": what was understood.
std::string understood(const std::vector<std::string>& arguments) {
  std::string out;
  for (const Word& word : parse_words(arguments).options) {
    out += (out.empty() ? "" : " ") + std::string(word.negated ? "no:" : "") +
           std::string(word.setting->name());
    if (word.setting->takes_value() && !word.negated) out += "=" + word.value;
  }
  return out;
}

Error refusal(const std::vector<std::string>& arguments) {
  const auto error = test::thrown_by([&] { read_command_line(arguments); });
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("words: bundles and values are taken apart as popt does it", "[cli]") {
  CHECK(understood({"-aqz"}) == "--archive --quiet --compress");
  CHECK(understood({"-aze", "ssh -p 22"}) == "--archive --compress --rsh=ssh -p 22");
  CHECK(understood({"-essh"}) == "--rsh=ssh");
  CHECK(understood({"-e=ssh"}) == "--rsh=ssh");
  CHECK(understood({"--exclude=a", "--exclude", "b"}) == "--exclude=a --exclude=b");
  CHECK(understood({"--exclude", "--delete"}) == "--exclude=--delete");
  CHECK(understood({"--exclude="}) == "--exclude=");
  CHECK(understood({"--exclude=a=b"}) == "--exclude=a=b");
  CHECK(understood({"-f", "- *.o"}) == "--filter=- *.o");
  CHECK(understood({"--del"}) == "--delete-during");
  CHECK(understood({"-FF"}) == "-F -F");
}

TEST_CASE("words: an option can be taken back", "[cli]") {
  CHECK(understood({"-a", "--no-o", "--no-perms", "--no-D"}) ==
        "--archive no:--owner no:--perms no:-D");
  CHECK(understood({"--no-bwlimit"}) == "no:--bwlimit");
  CHECK(understood({"--no-W", "--no-whole-file", "--no-motd", "--no-inc-recursive"}).empty());
  CHECK(refusal({"--no-exclude"}).fault() == Fault::Usage);
}

TEST_CASE("words: nothing is guessed and nothing is ignored", "[cli]") {
  CHECK(refusal({"--exc", "x"}).fault() == Fault::Usage);  // as rsync 3.5
  CHECK(refusal({"--exlude", "x"}).text().find("did you mean '--exclude'") != std::string::npos);
  CHECK(refusal({"-aj"}).text().find("'-j'") != std::string::npos);
  CHECK(refusal({"--size-only=3"}).text().find("takes no value") != std::string::npos);
  CHECK(refusal({"--exclude"}).text().find("needs a value") != std::string::npos);
  CHECK(refusal({"-ae"}).text().find("'-e' needs a value") != std::string::npos);
  CHECK(refusal({"status", "--delete"}).text().find("no option of 'status'") != std::string::npos);
  CHECK(refusal({"status", "now"}).fault() == Fault::Usage);
  CHECK(refusal({"trust"}).fault() == Fault::Usage);
  CHECK(refusal({"completion", "csh"}).fault() == Fault::Usage);
  CHECK(refusal({"statsu"}).text().find("did you mean 'status'") != std::string::npos);
  CHECK(refusal({"probe", "-C", "h"}).fault() == Fault::Usage);
  CHECK(refusal({"config"}).text().find("config show") != std::string::npos);
}

TEST_CASE("words: the first name may be a verb, and options may stand before it", "[cli]") {
  CHECK(parse_words({}).verb == Verb::Pull);
  CHECK(parse_words({"pull", "h:/a/", "/b"}).names.size() == 2);
  CHECK(parse_words({"-q", "status"}).verb == Verb::Status);
  CHECK(parse_words({"config", "show", "--origin"}).verb == Verb::ConfigShow);
  CHECK(parse_words({"--exclude", "status"}).verb == Verb::Pull);
  CHECK(parse_words({"h:/a/", "status"}).verb == Verb::Pull);
  CHECK(parse_words({"--", "-strange"}).names == std::vector<std::string>{"-strange"});
  CHECK(parse_words({"-h"}).help);
  CHECK_FALSE(parse_words({"-h", "-a"}).help);
  CHECK(parse_words({"-aV"}).version);
}

TEST_CASE("words: every option that we do not have is refused with its name and a reason",
          "[cli]") {
  for (const RsyncOption& option : rsync_options()) {
    for (const std::string_view name : split_words(option.options, ',')) {
      INFO(name);
      CHECK(find_option(name) == nullptr);
      std::vector<std::string> arguments{std::string(name)};
      if (option.takes_value) arguments.push_back("value");
      if (option.answer == Answer::Accepted) {
        CHECK(parse_words(arguments).notes.size() == 1);
        continue;
      }
      const Error error = refusal(arguments);
      CHECK(error.fault() == Fault::Unsupported);
      CHECK(error.text().find("option " + std::string(name) + " ") != std::string::npos);
    }
  }
}

TEST_CASE("words: every option that rsync --help lists has an answer", "[cli]") {
  const test::Outcome rsync = test::run_program({"/usr/bin/rsync", "--help"});
  REQUIRE(rsync.end == test::kCleanEnd);
  std::istringstream lines(rsync.out);
  std::string line;
  std::size_t seen = 0;
  while (std::getline(lines, line)) {
    if (!line.starts_with('-') || line.starts_with("--no-OPTION")) continue;
    std::istringstream words(line.substr(0, line.find("  ")));
    std::string word;
    while (words >> word) {
      if (!word.starts_with('-')) continue;
      const bool takes_value = word.find('=') != std::string::npos;
      const std::string name = word.substr(0, word.find_first_of("=,"));
      INFO(line);
      std::vector<std::string> arguments{name};
      if (takes_value) arguments.push_back("1");
      const auto error = test::thrown_by([&] { parse_words(arguments); });
      if (error && name.size() == 2 && error->text().find("needs a value") != std::string::npos)
        continue;  // a short form, where only the long one shows the value
      CHECK((!error || error->fault() == Fault::Unsupported));
      ++seen;
    }
  }
  CHECK(seen > 150);
}

TEST_CASE("places: source and destination as rsync writes them", "[cli]") {
  CHECK(parse_places({"xroad-slave@ss1:/etc/xroad/", "/etc/xroad/"}) ==
        Places{"xroad-slave", "ss1", "/etc/xroad", "/etc/xroad"});
  CHECK(parse_places({"ss1:/etc/xroad/.", "copy//"}) ==
        Places{std::nullopt, "ss1", "/etc/xroad", "copy"});
  CHECK(parse_places({"u@[2001:db8::1]:/a:b/", "/"}) == Places{"u", "2001:db8::1", "/a:b", "/"});
}

TEST_CASE("places: what rsync would do and we do not is refused by name", "[cli]") {
  const auto said = [](const std::vector<std::string>& names, Fault fault) {
    const auto error = test::thrown_by([&] { parse_places(names); });
    REQUIRE(error);
    CHECK(error->fault() == fault);
    return error->text();
  };
  const auto has = [](const std::string& text, const char* part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(said({"h::module", "/b"}, Fault::Unsupported), "daemon");
  has(said({"rsync://h/m", "/b"}, Fault::Unsupported), "daemon");
  has(said({"/a/", "h:/b/"}, Fault::Unsupported), "push");
  has(said({"/a/", "/b/"}, Fault::Unsupported), "on this node");
  has(said({"./a:b/", "/b/"}, Fault::Unsupported), "on this node");
  has(said({"h:/a/", "h:/b/", "/c"}, Fault::Unsupported), "several");
  has(said({"h:/a/"}, Fault::Unsupported), "without a destination");
  has(said({"h:/etc/xroad", "/etc"}, Fault::Unsupported), "'h:/etc/xroad/'");
  has(said({"h:a/", "/b"}, Fault::Usage), "not absolute");
  has(said({":/a/", "/b"}, Fault::Usage), "host");
  has(said({"@h:/a/", "/b"}, Fault::Usage), "user");
  has(said({"h:/a/", ""}, Fault::Usage), "destination");
}

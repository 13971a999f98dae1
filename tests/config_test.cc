// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include "cli/load_config.h"
#include "cli/options.h"
#include "cli/show_config.h"
#include "cli/use_config.h"
#include "sync/xroad/preset.h"
#include "tests/support/catch.h"
#include "tests/support/guide.h"
#include "tests/support/temp_dir.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::cli;

namespace {

const std::vector<std::string> kPlaces{"ss1:/etc/xroad/", "/etc/xroad/"};

struct Node {
  test::TempDir dir;
  Environment environment;
  std::string file = dir / "xroad-sync.ini";

  Config load(const std::vector<std::string>& arguments) const {
    return load_config(read_command_line(arguments), environment, file);
  }
  std::string failure(const std::vector<std::string>& arguments, Fault fault = Fault::Usage) const {
    const auto error = test::thrown_by([&] { load(arguments); });
    REQUIRE(error);
    CHECK(error->fault() == fault);
    return error->text();
  }
};

std::vector<std::string> with_places(std::vector<std::string> options) {
  options.insert(options.end(), kPlaces.begin(), kPlaces.end());
  return options;
}

bool mentions(const std::vector<std::string>& rules, const std::string& rule) {
  return std::find(rules.begin(), rules.end(), rule) != rules.end();
}

}  // namespace

TEST_CASE("config: the cluster guide's command line means what it says", "[cli]") {
  const Node node;
  const Config config =
      node.load(test::guide_words("ssh -o ConnectTimeout=5 ", "/var/log/xroad/slave-sync.log",
                                  "xroad-slave@ss1:/etc/xroad/", "/etc/xroad/"));
  CHECK(config.verb == Verb::Pull);
  CHECK(config.primary.user == "xroad-slave");
  CHECK(config.primary.host == "ss1");
  CHECK(config.primary.path == "/etc/xroad");
  CHECK(config.destination == "/etc/xroad");
  CHECK(config.primary.remote_shell == "ssh -o ConnectTimeout=5 ");
  CHECK(config.deadlines.idle == std::chrono::seconds(10));
  CHECK(config.remove);
  CHECK(config.compress);
  CHECK(config.output.quiet);
  CHECK(config.log.file == "/var/log/xroad/slave-sync.log");
  CHECK(config.filters.to_wire() ==
        std::vector<std::string>{"- db.properties", "- /conf.d/node.ini", "- *.tmp",
                                 "- /postgresql", "- /globalconf", "- /gpghome"});
  CHECK(config.options.keep == Flags<Keep>{Keep::Symlinks, Keep::Permissions, Keep::Times,
                                           Keep::Group, Keep::Owner, Keep::Devices,
                                           Keep::Specials});
  CHECK(config.options.scan == Flags<Scan>{Scan::Recursive});
  CHECK(config.choose_compare);
  REQUIRE(config.notes.size() == 1);
  CHECK(config.notes[0].starts_with("--delay-updates has no effect"));
  CHECK(config.preset == &xroad_preset());  // its order, guards and wake
  CHECK(config.wake.action == "signer");
  CHECK(config.guard.node_ini == "/etc/xroad/conf.d/node.ini");
}

TEST_CASE("config: the guide's first synchronisation means what it says", "[cli]") {
  const Node node;
  const Config config = node.load({"-e", "ssh", "-avz", "--delete", "--exclude", "db.properties",
                                   "xroad-slave@ss1:/etc/xroad/", "/etc/xroad/"});
  CHECK(config.output.verbosity == 1);
  CHECK(config.remove);
  CHECK(config.log.file.empty());
  CHECK(config.filters.to_wire() == std::vector<std::string>{"- db.properties"});
}

TEST_CASE("config: without arguments a node of a cluster needs only its primary", "[cli]") {
  Node node;
  node.environment = {{"MASTER", "ss1.example"}};
  const Config config = node.load({});
  CHECK(endpoint(config).shown() == "xroad-slave@ss1.example");
  CHECK(config.remove);
  CHECK(config.options.keep.has(Keep::Owner));
  CHECK(config.primary.path == "/etc/xroad");
  CHECK(config.log.file == "/var/log/xroad/xroad-sync.log");
  CHECK(config.filters.to_wire().size() == xroad_preset().excludes.size());
  const PullRequest request = pull_request(config);
  CHECK(request.index_files == std::vector<std::string>{"signer/keyconf.xml"});
  CHECK(request.root == "/etc/xroad");
  CHECK(test::thrown_by([&] { require_primary(Node().load({})); }));
}

TEST_CASE("config: a stronger place wins, and each value knows where it is from", "[cli]") {
  Node node;
  node.dir.write("xroad-sync.ini",
                 "[primary]\nhost = a\nuser = one\nidentity = /a\nidentity = /b\n"
                 "[limits]\ntimeout = 1\nconnect-timeout = 2\n[sync]\nexclude = /ini\n");
  REQUIRE(::mkdir((node.dir / "conf.d").c_str(), 0700) == 0);
  node.dir.write("conf.d/20.ini", "[limits]\ntimeout = 20\n[sync]\nexclude = /twenty\n");
  node.dir.write("conf.d/10.ini", "[limits]\ntimeout = 10\n[primary]\nuser = two\n");
  node.dir.write("conf.d/30.ini.bak", "rubbish");
  node.environment = {{"MASTER", "b"},
                      {"XROAD_USER", ""},
                      {"XROAD_SYNC_PRIMARY_HOST", "c"},
                      {"XROAD_SYNC_SYNC_EXCLUDE", "/environment"}};
  const Config config = node.load({"--exclude=/line", "--identity=/c", "--include=/line2"});
  CHECK(config.primary.host == "c");
  CHECK(config.primary.user == "two");
  CHECK(config.primary.identity == std::vector<std::string>{"/c"});
  CHECK(config.deadlines.idle == std::chrono::seconds(20));
  CHECK(config.deadlines.connect == std::chrono::seconds(2));
  std::vector<std::string> rules = config.filters.to_wire();
  rules.resize(6);
  CHECK(rules == std::vector<std::string>{"- /line", "+ /line2", "- /environment", "- /twenty",
                                          "- /ini", "- db.properties"});
  const std::string shown = show_config(config, true);
  for (const char* part :
       {"# environment XROAD_SYNC_PRIMARY_HOST\nhost = c\n", "/conf.d/10.ini:4\nuser = two\n",
        "/xroad-sync.ini:8\nconnect-timeout = 2\n", "# command line --identity\nidentity = /c\n",
        "# built-in\npath = /etc/xroad\n", "# command line --exclude\nexclude = /line\n"}) {
    INFO(part << "\nin:\n" << shown);
    CHECK(shown.find(part) != std::string::npos);
  }
  // What was shown can be read, and is the same.
  const std::string again = node.dir.write("shown.ini", shown);
  const Config read = load_config(read_command_line({"--config", again}), {}, "/nonexistent/x.ini");
  CHECK(show_config(read, false) == show_config(config, false));
  CHECK(read.filters == config.filters);
}

TEST_CASE("config: a source on the command line brings rsync's defaults, not the cluster's",
          "[cli]") {
  Node node;
  const Config bare = node.load(with_places({"-a"}));
  CHECK_FALSE(bare.remove);
  CHECK_FALSE(bare.compress);
  CHECK(bare.filters.rules().empty());
  CHECK(bare.primary.user.empty());
  CHECK(node.failure(kPlaces).find("add -a") != std::string::npos);
  CHECK(node.failure(with_places({"--delete"})).find("--recursive") != std::string::npos);

  const Config asked = node.load(with_places({"-a", "--preset=xroad"}));
  CHECK(mentions(asked.filters.to_wire(), "- db_libpq.env"));

  node.dir.write("xroad-sync.ini", "[sync]\ndelete = yes\nexclude = /nginx\npreset = none\n");
  const Config configured = node.load(with_places({"-a"}));
  CHECK(configured.remove);
  CHECK(mentions(configured.filters.to_wire(), "- /nginx"));
  CHECK(configured.preset == &no_preset());
  CHECK_FALSE(node.load(with_places({"-a", "--no-delete"})).remove);

  // A copy to somewhere else is not the node's own state: no role to check, nobody to wake.
  const Config copy = Node().load({"-a", "ss1:/etc/xroad/", "/srv/copy/"});
  CHECK(copy.preset == &no_preset());
  CHECK(copy.guard.node_ini.empty());
  CHECK(copy.wake.action == "none");
}

TEST_CASE("config: whatever is wrong says where it stands", "[cli]") {
  Node node;
  const auto said = [&](const char* text) {
    node.dir.write("xroad-sync.ini", text);
    std::string what = node.failure({});
    if (what.starts_with(node.file)) what.erase(0, node.file.size());
    return what;
  };
  CHECK(said("[primary]\nhots = a\n") ==
        ":2: unknown key 'hots' in [primary] (did you mean 'host'?)");
  CHECK(said("[limits]\nhost = a\n") ==
        ":2: unknown key 'host' in [limits] (it is a key of [primary])");
  CHECK(said("[primry]\nhost = a\n") == ":2: unknown section 'primry' (did you mean 'primary'?)");
  CHECK(said("host = a\n") == ":1: the key 'host' stands in no [section]");
  CHECK(said("[primary]\nhost = a\nport = 70000\n") ==
        ":3: '70000' is not a number from 0 to 65535");
  CHECK(said("[primary]\nhost = a\nhost = b\n").starts_with(":3: 'host' is already set at "));
  CHECK(said("[sync]\nfilter = bogus\n").starts_with(":2: "));
  CHECK(said("[sync]\nsuffix = a/b\n").starts_with(":2: a suffix"));
  CHECK(said("[wake]\naction = command\n").find("needs [wake] command") != std::string::npos);
  CHECK(said("[wake]\naction = signal\nunit = xroad-signer\n").find("kills") != std::string::npos);
  CHECK(said("[wake]\naction = signal\n").find("either") != std::string::npos);

  node.dir.write("xroad-sync.ini", "");
  node.environment = {{"XROAD_SYNC_PRIMARY_HOTS", "x"}};
  CHECK(node.failure({}) ==
        "environment XROAD_SYNC_PRIMARY_HOTS: no such setting (did you mean "
        "'XROAD_SYNC_PRIMARY_HOST'?)");
  node.environment = {{"XROAD_SYNC_LIMITS_TIMEOUT", "soon"}};
  CHECK(node.failure({}).starts_with("environment XROAD_SYNC_LIMITS_TIMEOUT: 'soon' is not "));
  node.environment = {{"XROAD_SYNC_CHANGED_FILE", "/x"}};  // a hook may call us
  CHECK_FALSE(test::thrown_by([&] { node.load({}); }));
  CHECK(node.failure({"--timeout=x"}).starts_with("command line --timeout: 'x' is not "));
  CHECK(node.failure({"--info=name"}, Fault::Unsupported).starts_with("command line --info: "));
  CHECK(node.failure({"-4", "-6"}).find("exclude each other") != std::string::npos);
}

TEST_CASE("config: a file that others may write is not obeyed", "[cli]") {
  Node node;
  node.dir.write("xroad-sync.ini", "[primary]\nhost = a\n", 0646);
  CHECK(node.failure({}).find("chmod o-w") != std::string::npos);
  REQUIRE(::chmod(node.file.c_str(), 0640) == 0);
  CHECK(node.load({}).primary.host == "a");
  if (::geteuid() == 0) {
    REQUIRE(::chown(node.file.c_str(), 12345, 0) == 0);
    CHECK(node.failure({}).find("belongs to user 12345") != std::string::npos);
  }
  CHECK(node.failure({"--config", node.dir / "absent"}, Fault::Io).find("absent") !=
        std::string::npos);
  CHECK(node.failure({"--config", node.dir.path()}).find("not a regular file") !=
        std::string::npos);
  // A key can be let in on a node whose configuration is broken.
  CHECK_FALSE(test::thrown_by([&] { node.load({"authorize", "key.pub"}); }));
}

TEST_CASE("config: options act in the order in which they stand", "[cli]") {
  const Node node;
  const auto keep = [&](std::vector<std::string> options) {
    return node.load(with_places(std::move(options))).options.keep;
  };
  CHECK_FALSE(keep({"-a", "--no-o"}).has(Keep::Owner));
  CHECK(keep({"--no-o", "-a"}).has(Keep::Owner));
  CHECK_FALSE(keep({"-a", "--no-D"}).has(Keep::Devices));
  CHECK(keep({"-rA"}).has(Keep::Permissions));
  const auto compare = [&](std::vector<std::string> options) {
    return node.load(with_places(std::move(options))).options.compare;
  };
  CHECK(compare({"-aI"}) == Compare::Always);
  CHECK(compare({"-a", "--size-only"}) == Compare::SizeOnly);
  CHECK(compare({"-aIc"}) == Compare::Content);
  CHECK(node.load(with_places({"-ac", "--no-c"})).choose_compare);

  const Config config =
      node.load(with_places({"-avvii", "-hh", "--max-delete=5", "--max-size=1.5K", "--bwlimit=100",
                             "--stop-after=2", "--chown=xroad:xroad", "--delete-excluded",
                             "--modify-window=1", "--timeout=0", "-P", "--info=progress2,stats"}));
  CHECK(config.output.verbosity == 2);
  CHECK(config.output.itemize == 2);
  CHECK(config.output.human == Human::Binary);
  CHECK(config.output.progress);
  CHECK(config.output.progress2);
  CHECK(config.output.stats);
  CHECK(config.transfer.max_delete == 5U);
  CHECK(config.transfer.max_size == 1536U);
  CHECK(config.bwlimit == 102'400);
  CHECK(config.deadlines.total == std::chrono::minutes(2));
  CHECK(config.deadlines.idle == std::chrono::hours(24));
  CHECK(config.transfer.user_maps == std::vector<std::string>{"*:xroad"});
  CHECK(config.transfer.group_maps == std::vector<std::string>{"*:xroad"});
  CHECK(config.options.scan.has(Scan::DeleteExcluded));
  CHECK(config.remove);
  CHECK(config.transfer.modify_window_ns == 1'000'000'000);
  CHECK_FALSE(node.load(with_places({"-a", "--max-delete=-1"})).transfer.max_delete);
}

TEST_CASE("config: rules from files keep their place among the others", "[cli]") {
  const Node node;
  const std::string lines = node.dir.write("rules", "# comment\n/a\n\n/b\n");
  const std::string zeros = node.dir.write("zeros", std::string("/c\0/d\0", 6));
  const Config config =
      node.load(with_places({"-a", "--include=/first", "--exclude-from", lines, "-f", "H /hidden",
                             "-0", "--exclude-from=" + zeros, "-FF", "--files-from=" + zeros}));
  CHECK(config.filters.to_wire() ==
        std::vector<std::string>{"+ /first", "- /a", "- /b", "-s /hidden", "- /c", "- /d",
                                 ": /.rsync-filter", "- .rsync-filter"});
  REQUIRE(config.transfer.files);
  CHECK(*config.transfer.files == std::vector<std::string>{"/c", "/d"});
}

TEST_CASE("config: keys, port and known hosts reach our own ssh client", "[cli]") {
  Node node;
  node.environment = {{"MASTER", "2001:db8::1"}};
  node.dir.write("xroad-sync.ini",
                 "[primary]\nport = 2222\nidentity = /keys/it's\nknown-hosts = /k1\n"
                 "known-hosts = /k2\nipv6 = yes\n");
  const Config config = node.load({});
  CHECK(transport_options(config).remote_shell ==
        "ssh -6 -p 2222 -i '/keys/it''s' -o 'UserKnownHostsFile=/k1 /k2'");
  CHECK(endpoint(config).host == "2001:db8::1");
  CHECK(transport_options(node.load({"-e", "my-shell"})).remote_shell == "my-shell");
}

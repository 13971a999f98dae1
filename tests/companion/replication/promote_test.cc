// SPDX-License-Identifier: MIT
#include "companion/replication/promote.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

#include <array>
#include <csignal>
#include <memory>
#include <span>

#include "base/clock.h"
#include "tests/companion/replication/failover_pair.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/thrown.h"

using namespace xs;
using namespace xs::test;
using namespace std::chrono_literals;
using Catch::Contains;

namespace {

// Refused, for this reason, with the advice, and the standby is what it was.
void check_refused(const FailoverPair& pair, const PromoteOrder& order, const std::string& reason) {
  CAPTURE(reason);
  const auto error = thrown_by([&] { promoted(order); });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 25);
  CHECK_THAT(error->text(), Contains(reason));
  CHECK_THAT(error->text(), Contains("--fenced"));
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");
}

}  // namespace

TEST_CASE("promote: nothing but a closed port passes for a dead primary", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  const PromoteOrder order = order_for(pair.ss2);

  check_refused(pair, order, "answers and takes writes");

  PromoteOrder dry = order;
  dry.fenced = dry.dry_run = true;
  const std::string plan = promoted(dry);
  CHECK_THAT(plan, Contains("WARNING: the old primary (127.0.0.1:"));
  CHECK_THAT(plan, Contains("because you say that it is fenced"));
  CHECK_THAT(plan, Contains("pg_ctl -D"));
  CHECK_THAT(plan, Contains("Nothing has been changed: this was a dry run."));
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");

  PromoteOrder elsewhere = order;
  elsewhere.primary = "host=/nowhere/at,all port=1 sslmode=disable";
  check_refused(pair, elsewhere, "nothing answers at the old primary");
  elsewhere.primary = FailoverPair::conninfo(pair.ss2, "ss1");
  check_refused(pair, elsewhere, "answers as a standby");
  elsewhere.primary = FailoverPair::conninfo(pair.ss1, "nobody_here");
  check_refused(pair, elsewhere, "is alive: it answers, though it does not let us in");
  {
    const Node foreign(Node::Layout::InData, {});
    foreign.start();
    foreign.sql("create role ss2 login replication");
    elsewhere.primary = FailoverPair::conninfo(foreign, "ss2");
    check_refused(pair, elsewhere, "is a server of another cluster");
  }
  elsewhere.primary = "host=a port=none";
  const auto error = thrown_by([&] { promoted(elsewhere); });
  REQUIRE(error);
  CHECK_THAT(error->text(), Contains("'none' is no port"));
  {
    // It may go on at any moment, with clients in its queue.
    const Frozen frozen(pair.ss1);
    check_refused(pair, order, "takes connections and does not answer them");
  }
  {
    // A walsender without a postmaster: nobody listens, and yet something lives.
    const pid_t sender = server_process(pair.ss1, "walsender");
    ::kill(sender, SIGSTOP);
    kill_server(pair.ss1, sender);
    check_refused(pair, order, "this standby still receives from it");
    ::kill(sender, SIGKILL);
  }
  CHECK_THAT(promoted(order), Contains("does not run"));
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "f");
}

namespace {

// Somebody starts a server while its neighbour waits.
class Awaking : public Clock {
 public:
  explicit Awaking(const Node& node) : node_(node) {}
  Instant now() const override { return clock_.now(); }
  int poll(std::span<pollfd> fds, Instant deadline) override {
    if (fds.empty() && !node_.running()) node_.start();
    return clock_.poll(fds, deadline);
  }

 private:
  const Node& node_;
  SteadyClock clock_;
};

// Of this machine, and not loopback; "" where it has none.
std::string own_address() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, ::freeifaddrs);
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
    ::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
    if (!std::string_view(text.data()).starts_with("127.")) return text.data();
  }
  return "";
}

}  // namespace

TEST_CASE("promote: an old primary that comes back while it is asked is seen", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  pair.ss1.stop();
  PromoteOrder order = order_for(pair.ss2);
  order.patience = 20s;
  {
    // As a machine that reboots: it refuses, and seconds later its server runs.
    Awaking clock(pair.ss1);
    const auto error = thrown_by([&] { promote(order, clock, [](std::string_view) {}); });
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 25);
    CHECK_THAT(error->text(), Contains("answers and takes writes"));
  }
  REQUIRE(pair.ss1.running());
  pair.ss1.stop();
  order.patience = 1s;
  SteadyClock clock;
  const auto error = thrown_by([&] {
    promote(order, clock, [&](std::string_view text) {
      if (text.find("] promote: ") != std::string_view::npos) pair.ss1.start();
    });
  });
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 25);
  CHECK_THAT(error->text(), Contains("it did not run when it was asked first, but now the old"));
  CHECK(pair.ss2.value("select pg_is_in_recovery()") == "t");
}

TEST_CASE("promote: what this node's own address refuses is no word of the old primary",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.standby = {"listen_addresses = ''"};
  const FailoverPair pair(options);
  PromoteOrder order = order_for(pair.ss2);
  // The address has moved here, and our standby does not listen on it.
  order.primary = FailoverPair::conninfo(pair.ss2, "ss2");
  check_refused(pair, order, "127.0.0.1 is an address of this node");
  const std::string address = own_address();
  if (!address.empty()) {
    order.primary = "host=" + address + " port=1 user=ss2 sslmode=disable";
    check_refused(pair, order, address + " is an address of this node");
  }
  order.fenced = order.dry_run = true;
  CHECK_THAT(promoted(order), Contains("because you say that it is fenced"));
}

TEST_CASE("promote: a paused standby with a lag goes on, loses nothing and takes writes",
          "[replication]") {
  if (without_postgres()) return;
  PairOptions options;
  options.standby = {"synchronous_standby_names = 'ss1'"};  // as a copied configuration has it
  const FailoverPair pair(options);
  pair.ss2.sql("select pg_wal_replay_pause()");
  REQUIRE(pair.ss2.says("select pg_get_wal_replay_pause_state()", "paused"));
  pair.ss1.sql("insert into t select generate_series(1, 20000)");
  REQUIRE(pair.ss2.says("select pg_last_wal_receive_lsn() >= '" +
                            pair.ss1.value("select pg_current_wal_flush_lsn()") + "'",
                        "t"));
  CHECK(pair.ss2.value("select count(*) from t") == "0");
  pair.ss1.stop();

  const std::string said = promoted(order_for(pair.ss2));
  CAPTURE(said);
  CHECK_THAT(said, Contains("refuses connections to its port"));
  CHECK_THAT(said, Contains("between are replayed first"));
  CHECK_THAT(said, Contains("(synchronous_standby_names was 'ss1') done"));
  CHECK_THAT(said, Contains("let replay go on: done"));
  CHECK_THAT(said, Contains("This node is the primary now: timeline 2, since "));
  CHECK_THAT(said, Contains("type=master"));
  CHECK_THAT(said, Contains("replication rejoin --primary"));
  CHECK_THAT(said, Contains("db.properties"));
  CHECK(pair.ss2.value("select count(*) from t") == "20000");
  pair.ss2.sql("insert into t values (20001)");  // would hang

  const std::string again = promoted(order_for(pair.ss2));
  CHECK_THAT(again, Contains("is a primary already, on timeline 2: nothing to do but"));
  CHECK_THAT(again, Contains("see that it takes writes: done\n"));
  CHECK_THAT(again, Contains("(a checkpoint): done already\n"));
  CHECK_THAT(again, Contains("replication rejoin --primary"));
  CHECK(pair.ss2.value("select timeline_id from pg_control_checkpoint()") == "2");
  CHECK(pair.ss2.value("select count(*) from pg_class where relname like '%xroad%'") == "0");
}

TEST_CASE("promote: one that takes too long stands, and is found done later", "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  kill_server(pair.ss1);
  const pid_t startup = server_process(pair.ss2, "startup");
  ::kill(startup, SIGSTOP);
  PromoteOrder order = order_for(pair.ss2);
  order.limit = 1s;
  const auto error = thrown_by([&] { promoted(order); });
  ::kill(startup, SIGCONT);
  REQUIRE(error);
  CHECK(exit_code(error->fault()) == 30);
  CHECK_THAT(error->text(), Contains("it is not a primary yet; it has replayed up to "));
  CHECK_THAT(error->text(), Contains("go on with: promote again"));
  REQUIRE(pair.ss2.says("select pg_is_in_recovery()", "f"));
  CHECK_THAT(promoted(order_for(pair.ss2)), Contains("nothing to do"));
}

TEST_CASE("promote: a server that is stopped, or no cluster, is told and left", "[replication]") {
  if (without_postgres()) return;
  const Node node;
  const auto stopped = thrown_by([&] { promoted(order_for(node)); });
  REQUIRE(stopped);
  CHECK(exit_code(stopped->fault()) == 11);
  CHECK_THAT(stopped->text(), Contains("does not run; start it: "));
  CHECK_FALSE(node.running());

  PromoteOrder order = order_for(node);
  order.cluster.data = node.dir() / "run";
  const auto none = thrown_by([&] { promoted(order); });
  REQUIRE(none);
  CHECK(exit_code(none->fault()) == 1);
  CHECK_THAT(none->text(), Contains("there is no database in '"));

  node.append("postgresql.conf", "synchronous_standby_names = 'ghost'\n");
  node.start();
  order = order_for(node);
  order.write_limit = 1s;
  std::string said;
  SteadyClock clock;
  const auto hangs =
      thrown_by([&] { promote(order, clock, [&](std::string_view text) { said += text; }); });
  CHECK_THAT(said, Contains("is a primary already, on timeline 1"));
  CHECK_THAT(said, Contains("EVERY WRITE HANGS"));
  REQUIRE(hangs);
  CHECK(exit_code(hangs->fault()) == 30);
  CHECK_THAT(hangs->text(), Contains("a write does not succeed"));
  node.sql("alter system set synchronous_standby_names = ''");
  node.sql("select pg_reload_conf()");
  CHECK(node.says("show synchronous_standby_names", ""));
  CHECK_THAT(promoted(order_for(node)), Contains("see that it takes writes: done\n"));
}

TEST_CASE("promote: what a run that was cut short has left undone is done by the next one",
          "[replication]") {
  if (without_postgres()) return;
  const FailoverPair pair;
  kill_server(pair.ss1);
  PromoteOrder order = order_for(pair.ss2);
  order.limit = 1s;
  {
    const Halted halted(pair.ss2, "checkpointer");
    pair.ss2.sql("select pg_promote()");  // as the run before had it
    REQUIRE(pair.ss2.says("select pg_is_in_recovery()", "f"));
    const auto error = thrown_by([&] { promoted(order); });
    REQUIRE(error);
    CHECK(exit_code(error->fault()) == 30);
    CHECK_THAT(error->text(), Contains("write the new timeline down (a checkpoint)) failed"));
  }
  const std::string said = promoted(order_for(pair.ss2));
  CAPTURE(said);
  CHECK_THAT(said, Contains("see that it takes writes: done\n"));
  CHECK_THAT(said, Contains("This node is the primary now: timeline 2, since "));
  CHECK(pair.ss2.value("select timeline_id from pg_control_checkpoint()") == "2");
}

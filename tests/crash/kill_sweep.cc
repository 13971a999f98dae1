// SPDX-License-Identifier: MIT
// kill_sweep PULL_ONCE SERVE_ONCE ORACLE [--points-max N] [--stride S] [--workload NAME]
//            [--at N [--recovery-at M]]
// Kills the real client with SIGKILL at its n-th system call, for every n, lets the recovery run
// and asks the oracle: the tree must be exactly old or exactly new; new if a journal was there or
// "committed" was printed; without a journal, what it was at the moment of death. Then the same
// for the recovery itself, killed at each of its calls after a sample of the client's deaths: it
// must come to the same tree. While there is a journal, every file is wholly old or wholly new,
// none that stays is missing, and keyconf.xml is not ahead of what it names.
// A call counts from the first that opens the destination (before that nothing can be harmed), and
// all kinds of calls count; of the client alone, not of the server that it starts. The tracee is
// killed at the entry of the call, which is then not carried out.
// --points-max limits the points of a workload and kind by a longer stride, --sample the deaths
// after which recovery is killed; XS_LONG=yes means every point. --at repeats one point. Ends with
// 1 if any point was bad. Not for a client under a sanitizer, which makes calls of its own.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "tests/crash/kill_tracer.h"
#include "tests/crash/kill_workloads.h"

namespace {

namespace fs = std::filesystem;
using namespace xs::test;
using xs::throw_errno;

constexpr unsigned kPointSeconds = 120;  // what hangs for so long hangs

struct Setting {
  std::string pull, serve, oracle;
  std::string workload;  // empty: all
  std::uint64_t stride = 1;
  std::uint64_t points_max = kNever;  // of a workload and kind
  std::uint64_t sample = 6;           // deaths of the client after which recovery is killed, too
  std::uint64_t at = 0, recovery_at = 0;  // 0: all
};

struct Count {
  std::uint64_t client = 0, recovery = 0, old_tree = 0, new_tree = 0, bad = 0;

  std::uint64_t points() const { return client + recovery; }
  void add(const Count& other) {
    client += other.client;
    recovery += other.recovery;
    old_tree += other.old_tree;
    new_tree += other.new_tree;
    bad += other.bad;
  }
};

enum class Must { BeOld, BeNew };

class Sweep {
 public:
  Sweep(const Setting& setting, const Workload& workload)
      : setting_(setting), workload_(workload), runner_(home_.path()) {
    ::alarm(kPointSeconds);
    plant_old(old_);
    copy(old_, new_);
    workload_.change(new_);
    fs::create_directory(live_);
    expect_well(runner_.run({setting_.pull, setting_.serve, old_, live_}), "the first pull");
    if (ask() != 0) throw xs::Error(xs::Fault::Mismatch, "the first pull is no copy of its source");
    fs::rename(live_, before_);
  }

  Count run() {
    const std::uint64_t all = calls_of_a_whole_run();
    const std::uint64_t step = step_for(all);
    for (std::uint64_t n = 1; n <= all + step; n += step) {
      if (!client_point(setting_.at != 0 ? setting_.at : n) || setting_.at != 0) break;
    }
    const std::vector<std::uint64_t> chosen = choose_deaths();
    for (const std::uint64_t death : chosen) sweep_recovery(death, chosen.size());
    return count_;
  }

 private:
  static void expect_well(const Ended& ended, const std::string& what) {
    if (!ended.well()) throw xs::Error(xs::Fault::Mismatch, what + " failed: " + ended.err);
  }

  void copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    expect_well(runner_.run({"cp", "-a", from, to}), "cp");
  }

  std::vector<std::string> pull() const { return {setting_.pull, setting_.serve, new_, live_}; }
  std::vector<std::string> recover() const {
    return {setting_.pull, "--recover", setting_.serve, new_, live_};
  }

  int ask(const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv = {setting_.oracle, old_, new_, live_};
    argv.insert(argv.end(), more.begin(), more.end());
    said_ = runner_.run(argv);
    return WIFEXITED(said_.status) ? WEXITSTATUS(said_.status) : -1;
  }

  std::uint64_t calls_of_a_whole_run() {
    copy(before_, live_);
    const Ended whole = runner_.trace(pull(), kNever);
    expect_well(whole, "a pull that nobody killed");
    if (whole.calls == 0)
      throw xs::Error(xs::Fault::Mismatch, "the client never opened its destination");
    return whole.calls;
  }

  std::uint64_t step_for(std::uint64_t calls) const {
    return std::max(setting_.stride, calls / std::max<std::uint64_t>(1, setting_.points_max));
  }

  // The tree after a client that died at its n-th call, or lived: nothing is copied, because the
  // journal knows its files by their inodes.
  Ended die(std::uint64_t n) {
    copy(before_, live_);
    return runner_.trace(pull(), n);
  }

  bool has_journal() const { return fs::exists(fs::path(live_) / ".xroad-sync/journal"); }

  // Without a journal nothing has begun or all is done, so the tree is what it must be already.
  Must fate(const Ended& client, std::uint64_t n, std::uint64_t m) {
    const bool committed = client.out.find("committed") != std::string::npos;
    if (has_journal()) {
      check_between(n, m);
      return Must::BeNew;
    }
    const int now = ask({"--excluded", ".xroad-sync"});
    const bool done = committed || !client.killed;
    if (now == 1 || (now == 0 && !done)) return now == 1 ? Must::BeNew : Must::BeOld;
    blame("no journal" + std::string(done ? ", all done" : "") + ", and the oracle says " +
              std::to_string(now) + ": " + said_.out + said_.err,
          n, m);
    return done ? Must::BeNew : Must::BeOld;
  }

  // Readers look at the tree while a commit is under way.
  void check_between(std::uint64_t n, std::uint64_t m) {
    said_ = runner_.run({setting_.oracle, "--between", "signer/keyconf.xml", old_, new_, live_});
    if (!said_.well()) blame("in the middle of the commit: " + said_.out + said_.err, n, m);
  }

  // False when the client came to its end before its n-th call.
  bool client_point(std::uint64_t n) {
    ::alarm(kPointSeconds);
    const Ended client = die(n);
    if (!client.killed && !client.well()) blame("the client failed by itself: " + client.err, n, 0);
    ++count_.client;
    if (has_journal())
      with_journal_.push_back(n);
    else if (has_run(live_))
      without_journal_.push_back(n);
    recover_and_judge(fate(client, n, 0), n, 0);
    return client.killed;
  }

  static bool has_run(const fs::path& live) {
    if (!fs::is_directory(live / ".xroad-sync")) return false;
    for (const auto& entry : fs::directory_iterator(live / ".xroad-sync")) {
      if (entry.path().filename().string().rfind("run-", 0) == 0) return true;
    }
    return false;
  }

  void recover_and_judge(Must must, std::uint64_t n, std::uint64_t m) {
    if (m != 0 && has_journal()) check_between(n, m);
    const Ended recovery = runner_.run(recover());
    if (!recovery.well()) {
      return blame("the recovery failed: " + recovery.err, n, m);
    }
    const int verdict = ask();
    if (verdict == 0 && must == Must::BeOld)
      ++count_.old_tree;
    else if (verdict == 1 && must == Must::BeNew)
      ++count_.new_tree;
    else if (verdict == 0 || verdict == 1)
      blame(verdict == 0 ? "old, and it had to be new" : "new, and it had to be old", n, m);
    else
      blame("the oracle says " + std::to_string(verdict) + ": " + said_.out + said_.err, n, m);
  }

  void blame(const std::string& what, std::uint64_t n, std::uint64_t m) {
    ++count_.bad;
    std::printf("BAD: kill_sweep %s %s %s --workload %s --at %llu", setting_.pull.c_str(),
                setting_.serve.c_str(), setting_.oracle.c_str(), workload_.name.c_str(),
                static_cast<unsigned long long>(n));
    if (m != 0) std::printf(" --recovery-at %llu", static_cast<unsigned long long>(m));
    std::printf("\n%s\n", what.c_str());
    std::fflush(stdout);
  }

  // Evenly spread: three quarters with a journal, one with staged data alone.
  std::vector<std::uint64_t> choose_deaths() const {
    std::vector<std::uint64_t> chosen;
    spread(with_journal_, setting_.sample - setting_.sample / 4, chosen);
    spread(without_journal_, setting_.sample / 4, chosen);
    return chosen;
  }

  static void spread(const std::vector<std::uint64_t>& from, std::uint64_t count,
                     std::vector<std::uint64_t>& chosen) {
    const std::uint64_t taken = std::min<std::uint64_t>(count, from.size());
    for (std::uint64_t i = 0; i < taken; ++i) chosen.push_back(from[i * from.size() / taken]);
  }

  void sweep_recovery(std::uint64_t death, std::size_t deaths) {
    die(death);
    const std::uint64_t all = runner_.trace(recover(), kNever).calls;
    const std::uint64_t step = step_for(all * deaths);
    for (std::uint64_t m = 1; m <= all + step; m += step) {
      const bool one = setting_.recovery_at != 0;
      if (!recovery_point(death, one ? setting_.recovery_at : m) || one) break;
    }
  }

  // False when the recovery came to its end before its m-th call.
  bool recovery_point(std::uint64_t death, std::uint64_t m) {
    ::alarm(kPointSeconds);
    const Must must = fate(die(death), death, m);
    const Ended recovery = runner_.trace(recover(), m);
    if (!recovery.killed && !recovery.well())
      blame("the recovery failed by itself: " + recovery.err, death, m);
    ++count_.recovery;
    recover_and_judge(must, death, m);
    return recovery.killed;
  }

  const Setting& setting_;
  const Workload& workload_;
  Home home_{"xs-kill"};
  Runner runner_;
  const std::string old_ = home_.path() / "old";
  const std::string new_ = home_.path() / "new";
  const std::string live_ = home_.path() / kLiveName;
  const std::string before_ = home_.path() / "before";
  std::vector<std::uint64_t> with_journal_;
  std::vector<std::uint64_t> without_journal_;
  Count count_;
  Ended said_;
};

void print(const std::string& name, const Count& count,
           std::chrono::steady_clock::time_point since) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
  std::printf(
      "%-10s %6llu points (%llu client, %llu recovery), %llu old, %llu new, %llu bad, %.0f/s\n",
      name.c_str(), static_cast<unsigned long long>(count.points()),
      static_cast<unsigned long long>(count.client),
      static_cast<unsigned long long>(count.recovery),
      static_cast<unsigned long long>(count.old_tree),
      static_cast<unsigned long long>(count.new_tree), static_cast<unsigned long long>(count.bad),
      static_cast<double>(count.points()) / took.count());
  std::fflush(stdout);
}

Setting parse(const std::vector<std::string>& words) {
  Setting setting;
  const char* wanted = std::getenv("XS_LONG");
  if (wanted == nullptr || std::string(wanted) != "yes") {
    setting.points_max = 80;
    setting.sample = 4;
  }
  std::vector<std::string> names;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word.rfind("--", 0) != 0 || at + 1 == words.size()) {
      names.push_back(word);
      continue;
    }
    const std::string& value = words[++at];
    if (word == "--workload") {
      setting.workload = value;
      continue;
    }
    std::uint64_t& field = word == "--points-max"    ? setting.points_max
                           : word == "--stride"      ? setting.stride
                           : word == "--sample"      ? setting.sample
                           : word == "--recovery-at" ? setting.recovery_at
                           : word == "--at"
                               ? setting.at
                               : throw xs::Error(xs::Fault::Usage, "kill_sweep: what is " + word);
    field = std::stoull(value);
  }
  if (names.size() != 3)
    throw xs::Error(xs::Fault::Usage, "kill_sweep PULL_ONCE SERVE_ONCE ORACLE [--OPTION VALUE]...");
  setting.pull = names[0];
  setting.serve = names[1];
  setting.oracle = names[2];
  return setting;
}

int run(const Setting& setting) {
  const auto begin = std::chrono::steady_clock::now();
  Count total;
  for (const Workload& workload : workloads()) {
    if (!setting.workload.empty() && setting.workload != workload.name) continue;
    const auto since = std::chrono::steady_clock::now();
    const Count count = Sweep(setting, workload).run();
    print(workload.name, count, since);
    total.add(count);
  }
  print("total", total, begin);
  return total.bad == 0 && total.points() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  ::umask(022);
  try {
    return run(parse(std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kill_sweep: %s\n", error.what());
    return 2;
  }
}

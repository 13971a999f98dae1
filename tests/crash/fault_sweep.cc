// SPDX-License-Identifier: MIT
// fault_sweep PULL_ONCE SERVE_ONCE ORACLE [--points-max N] [--seed N] [--workload NAME]
//             [--side client|server] [--at N --error NAME --mode once|on]
// Makes a system call of the real client fail, or of its server: every call that can fail for a
// reason of the disk or of resources, with every errno that makes sense for it, once and from then
// on; and interrupts and shortens those that may be. After that the tree has to be exactly old or
// exactly new (the oracle says), new if a journal was there; a path that was reported as a problem
// (exit 23) may be as it was. The error has to name the path and the cause. The next run succeeds
// by itself, comes to the new tree and leaves nothing behind. Of an interruption and of a part of a
// read or write nobody may notice anything.
// A call counts from the first that opens the destination, or in the server its root. The points
// are drawn, --points-max of a workload and side; XS_LONG=yes means every point. Ends with 1 if
// any point was bad, with 77 where the kernel cannot watch calls. Not for sanitizers, which make
// calls of their own.
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "tests/crash/fault_tracer.h"
#include "tests/crash/kill_workloads.h"
#include "tests/support/setting.h"

namespace {

namespace fs = std::filesystem;
using namespace xs::test;

constexpr const char* kSourceName = "source-of-the-run";
constexpr int kSkip = 77;

struct Setting {
  std::string pull, serve, oracle;
  std::string workload, side;  // empty: all
  std::string error, mode;     // with `at`: one point alone
  std::uint64_t at = 0;
  std::size_t points_max = ~std::size_t{0};
  std::uint64_t seed = random_seed();
};

struct Count {
  std::size_t points = 0, well = 0, old_tree = 0, new_tree = 0, finished = 0, partial = 0,
              missed = 0, bad = 0;

  void add(const Count& other) {
    points += other.points;
    well += other.well;
    old_tree += other.old_tree;
    new_tree += other.new_tree;
    finished += other.finished;
    partial += other.partial;
    missed += other.missed;
    bad += other.bad;
  }
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class Sweep {
 public:
  Sweep(const Setting& setting, const std::string& name, void (*change)(const fs::path&))
      : setting_(setting), name_(name), tracer_(home_.path()) {
    const bool first_copy = change == nullptr;
    plant_old(first_copy ? new_ : old_);
    if (first_copy) {
      fs::create_directory(old_);
    } else {
      copy(old_, new_);
      change(new_);
    }
    fs::create_directory(before_);
    if (!first_copy) expect_well(tracer_.run({setting_.pull, setting_.serve, old_, before_}));
  }

  Count run(Side side) {
    for (const Injection& point : choose(side)) try_point(point);
    return count_;
  }

 private:
  static void expect_well(const Ended& ended) {
    if (!ended.well())
      throw xs::Error(xs::Fault::Mismatch, "it should have gone well: " + ended.err);
  }

  void copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    expect_well(tracer_.run({"cp", "-a", from, to}));
  }

  std::vector<std::string> pull() const { return {setting_.pull, setting_.serve, new_, live_}; }

  int ask(const std::vector<std::string>& more) {
    std::vector<std::string> argv = {setting_.oracle, old_, new_, live_};
    argv.insert(argv.end(), more.begin(), more.end());
    said_ = tracer_.run(argv);
    return WIFEXITED(said_.status) ? WEXITSTATUS(said_.status) : -1;
  }

  // ---- what to try

  std::vector<Injection> choose(Side side) {
    Injection point;
    point.side = side;
    point.within = home_.path();
    point.start = side == Side::Client ? kLiveName : kSourceName;
    copy(before_, live_);
    const Watched whole = tracer_.watch(pull(), point);
    expect_well(whole.ended);
    std::vector<Injection> points;
    for (point.at = 1; point.at <= whole.calls.size(); ++point.at) {
      const Call& call = whole.calls[point.at - 1];
      for (const Failure failure : call.failures()) {
        const bool libraries = call.is_file() && call.subject.rfind(point.within, 0) != 0;
        if (libraries && invisible(failure)) continue;
        point.failure = failure;
        for (const bool persistent : {false, true}) {
          point.persistent = persistent;
          if (wanted(point)) points.push_back(point);
        }
      }
    }
    if (points.empty()) throw xs::Error(xs::Fault::Mismatch, "there is nothing to try");
    std::mt19937_64 random(setting_.seed);
    std::shuffle(points.begin(), points.end(), random);
    if (points.size() > setting_.points_max) points.resize(setting_.points_max);
    return points;
  }

  bool wanted(const Injection& point) const {
    if (setting_.at == 0) return true;
    return point.at == setting_.at && name_of(point.failure) == setting_.error &&
           point.persistent == (setting_.mode == "on");
  }

  // ---- one point

  void try_point(const Injection& point) {
    copy(before_, live_);
    point_ = &point;
    watched_ = tracer_.watch(pull(), point);
    ++count_.points;
    if (watched_.hung) return blame("it hangs");
    if (!WIFEXITED(watched_.ended.status)) return blame("it was ended by a signal");
    if (watched_.failed.empty()) ++count_.missed;
    judge(WEXITSTATUS(watched_.ended.status));
    again();
  }

  void judge(int code) {
    const bool harmless = watched_.failed.empty() || invisible(point_->failure);
    if (code != 0 && harmless) return blame("it was to go on as if nothing had happened");
    if (code != 0 && (xs::find_fault(static_cast<std::uint8_t>(code)) == nullptr ||
                      has(watched_.ended.err, "internal error")))
      return blame("this is no way to end");
    if (code != 0) check_words();
    if (fs::exists(fs::path(live_) / ".xroad-sync/journal")) return judge_unfinished(code);
    if (code == xs::exit_code(xs::Fault::Partial)) return judge_partial();
    const int now = ask({"--excluded", ".xroad-sync"});
    if (code == 0 && now == 1) {
      ++count_.well;
    } else if (code != 0 && (now == 0 || now == 1)) {
      ++(now == 0 ? count_.old_tree : count_.new_tree);
    } else {
      return blame("the oracle says " + std::to_string(now) + ": " + said_.out + said_.err);
    }
    check_leftovers();
  }

  // The commit is in the journal: it is a failure, and readers meet nothing torn.
  void judge_unfinished(int code) {
    ++count_.finished;
    if (code == 0) return blame("it says that it succeeded, and there is a journal");
    said_ = tracer_.run({setting_.oracle, "--between", "signer/keyconf.xml", old_, new_, live_});
    if (!said_.well()) blame("in the middle of the commit: " + said_.out + said_.err);
    if (point_->at % 2 == 1) recover_a_copy();
  }

  // As from a backup: the journal does not find the inodes that it knows, may say so, and the next
  // run still comes to the new tree.
  void recover_a_copy() {
    const std::string copied = home_.path() / "copied";
    copy(live_, copied);
    fs::remove_all(live_);
    fs::rename(copied, live_);
    const Ended first = tracer_.run(pull());
    const bool told = WIFEXITED(first.status) &&
                      WEXITSTATUS(first.status) == xs::exit_code(xs::Fault::Partial) &&
                      has(first.err, "not deleted");
    if (!first.well() && !told) return blame("a copy of it is not recovered: " + first.err);
    // What was reported is left alone by this run; the next one, again(), finds it.
    const int now = first.well() ? ask({}) : 1;
    if (now != 1) blame("a copy of it is recovered as " + std::to_string(now) + ": " + said_.out);
  }

  // What was reported may be as it was; all else is of one state.
  void judge_partial() {
    ++count_.partial;
    std::vector<std::string> words = {"--excluded", ".xroad-sync"};
    std::istringstream lines(watched_.ended.err);
    for (std::string line; std::getline(lines, line);) {
      const std::string prefix = "problem: ";
      if (line.compare(0, prefix.size(), prefix) != 0) continue;
      const std::string path =
          line.substr(prefix.size(), line.find(": ", prefix.size()) - prefix.size());
      words.insert(words.end(), {"--excluded", that_stays(path)});
    }
    const int now = ask(words);
    if (now != 0 && now != 1)
      return blame("apart from the problems the oracle says " + std::to_string(now) + ": " +
                   said_.out + said_.err);
    // The index may be ahead of a file that could not be read.
    said_ = tracer_.run({setting_.oracle, "--between", "no index", old_, new_, live_});
    if (!said_.well()) blame("with problems: " + said_.out + said_.err);
  }

  // The path, or the directory that would have gone if it had not been in there.
  std::string that_stays(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      if (!fs::exists(fs::path(new_) / path.substr(0, slash))) return path.substr(0, slash);
    }
    return path;
  }

  // Who cannot remove what it made says so.
  void check_leftovers() {
    const int now = ask({});
    if (now == kLeftovers && !has(watched_.ended.err + watched_.ended.out, "next run"))
      blame("it leaves something behind and does not say so: " + said_.out);
  }

  // The errno in words, and one of the paths as the operator knows it.
  void check_words() {
    const std::string& err = watched_.ended.err;
    const bool memory = point_->failure == ENOMEM && has(err, "memory");
    if (!memory && !has(err, ::strerrordesc_np(point_->failure)))
      return blame("the error does not tell the cause");
    if (std::none_of(watched_.failed.begin(), watched_.failed.end(),
                     [&](const Call& call) { return is_named(call, err); }))
      blame("the error does not name it");
  }

  bool is_named(const Call& call, const std::string& err) const {
    const std::string& root = point_->side == Side::Client ? live_ : new_;
    if (call.subject.compare(0, root.size(), root) != 0) return true;
    // From the root the program walks to what it then names.
    if (call.subject == root)
      return has(err, root) || has(err, "the destination ") || has(err, "problem: ");
    return has(err, xs::escape(call.subject.substr(root.size() + 1)));
  }

  void again() {
    const Ended next = tracer_.run(pull());
    if (!next.well()) return blame("the next run fails: " + next.err);
    const int now = ask({});
    if (now != 1)
      blame("after the next run the oracle says " + std::to_string(now) + ": " + said_.out +
            said_.err);
  }

  void blame(const std::string& what) {
    ++count_.bad;
    std::printf(
        "BAD: fault_sweep %s %s %s --workload %s --side %s --at %llu --error %s --mode %s\n",
        setting_.pull.c_str(), setting_.serve.c_str(), setting_.oracle.c_str(), name_.c_str(),
        point_->side == Side::Client ? "client" : "server",
        static_cast<unsigned long long>(point_->at), name_of(point_->failure).c_str(),
        point_->persistent ? "on" : "once");
    if (!watched_.failed.empty())
      std::printf("%s of %s, ", watched_.failed.front().kind->name,
                  watched_.failed.front().subject.c_str());
    std::printf("status %d: %s\n%s%s", watched_.ended.status, what.c_str(),
                watched_.ended.out.c_str(), watched_.ended.err.c_str());
    std::fflush(stdout);
  }

  static constexpr int kLeftovers = 3;  // as the oracle says it

  const Setting& setting_;
  const std::string name_;
  Home home_{"xs-fault"};
  FaultTracer tracer_;
  const std::string old_ = home_.path() / "old";
  const std::string new_ = home_.path() / kSourceName;
  const std::string live_ = home_.path() / kLiveName;
  const std::string before_ = home_.path() / "before";
  const Injection* point_ = nullptr;
  Watched watched_;
  Ended said_;
  Count count_;
};

void print(const std::string& name, const Count& count,
           std::chrono::steady_clock::time_point since) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since;
  std::printf(
      "%-18s %6zu points: %zu succeeded, %zu failed and kept the old tree, %zu had the new one, "
      "%zu left a journal, %zu reported problems, %zu never came to it, %zu bad, %.0f/s\n",
      name.c_str(), count.points, count.well, count.old_tree, count.new_tree, count.finished,
      count.partial, count.missed, count.bad, static_cast<double>(count.points) / took.count());
  std::fflush(stdout);
}

Setting parse(const std::vector<std::string>& words) {
  Setting setting;
  const char* wanted = std::getenv("XS_LONG");
  if (wanted == nullptr || std::string(wanted) != "yes") setting.points_max = 40;
  std::vector<std::string> names;
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::string& word = words[at];
    if (word.rfind("--", 0) != 0 || at + 1 == words.size()) {
      names.push_back(word);
      continue;
    }
    const std::string& value = words[++at];
    const std::map<std::string, std::string*> texts{{"--workload", &setting.workload},
                                                    {"--side", &setting.side},
                                                    {"--error", &setting.error},
                                                    {"--mode", &setting.mode}};
    const auto text = texts.find(word);
    if (text != texts.end())
      *text->second = value;
    else if (word == "--points-max")
      setting.points_max = std::stoull(value);
    else if (word == "--seed")
      setting.seed = std::stoull(value);
    else if (word == "--at")
      setting.at = std::stoull(value);
    else
      throw xs::Error(xs::Fault::Usage, "fault_sweep: what is " + word);
  }
  if (names.size() != 3)
    throw xs::Error(xs::Fault::Usage,
                    "fault_sweep PULL_ONCE SERVE_ONCE ORACLE [--OPTION VALUE]...");
  setting.pull = names[0];
  setting.serve = names[1];
  setting.oracle = names[2];
  return setting;
}

struct Trial {
  std::string name;
  void (*change)(const fs::path&);  // nullptr: the first copy
};

int run(const Setting& setting) {
  std::vector<Trial> trials{{"first", nullptr}};
  for (const Workload& workload : workloads()) trials.push_back({workload.name, workload.change});
  std::printf("fault_sweep: seed %llu\n", static_cast<unsigned long long>(setting.seed));
  const auto begin = std::chrono::steady_clock::now();
  Count total;
  for (const Trial& trial : trials) {
    if (!setting.workload.empty() && setting.workload != trial.name) continue;
    for (const Side side : {Side::Client, Side::Server}) {
      const std::string word = side == Side::Client ? "client" : "server";
      if (!setting.side.empty() && setting.side != word) continue;
      const auto since = std::chrono::steady_clock::now();
      const Count count = Sweep(setting, trial.name, trial.change).run(side);
      print(trial.name + ", " + word, count, since);
      total.add(count);
    }
  }
  print("total", total, begin);
  return total.bad == 0 && total.points > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  ::umask(022);
  try {
    std::string why;
    if (!FaultTracer::possible(why)) {
      std::fprintf(stderr, "fault_sweep: skipped: %s\n", why.c_str());
      return kSkip;
    }
    return run(parse(std::vector<std::string>(argv + 1, argv + argc)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fault_sweep: %s\n", error.what());
    return 2;
  }
}

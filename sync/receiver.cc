// SPDX-License-Identifier: MIT
#include "sync/receiver.h"

#include <algorithm>
#include <set>
#include <variant>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/hash.h"
#include "sync/incoming.h"
#include "sync/local_tree.h"
#include "sync/lock.h"
#include "sync/real_disk.h"
#include "sync/takeover.h"

namespace xs {
namespace {

RecoveryRules recovery_rules(const PullRequest& request) {
  return {request.on_wake, {}, request.keep};
}

// Who only looks changes nothing, not even for the better.
Recovery begin(Disk& disk, const Clock& clock, const PullRequest& request) {
  if (!request.preview) return recover(disk, clock, recovery_rules(request));
  refuse_unfinished(disk);
  return {};
}

bool only_root(const Entries& entries) { return entries.list.size() <= 1; }

// Mount points of ours that are not to be entered, where the source has more than a directory.
std::vector<Problem> wishes_inside(const std::vector<std::string>& mounts, const Entries& target) {
  std::vector<Problem> found;
  for (const std::string& mount : mounts) {
    auto at = std::lower_bound(
        target.list.begin(), target.list.end(), mount,
        [](const Entry& entry, const std::string& path) { return path_less(entry.path, path); });
    if (at != target.list.end() && at->path == mount && at->type == EntryType::Dir) ++at;
    if (at == target.list.end() || !lies_within(at->path, mount)) continue;
    found.push_back(
        {mount, "a file system is mounted here, which is left alone (one file system)"});
  }
  return found;
}

Dir open_destination(const PullRequest& request) {
  make_destination(request.destination,
                   request.preview ? MakeDestination::Never : request.make_destination);
  return Dir::open_root(request.destination);
}

}  // namespace

struct Receiver::State {
  State(PullRequest wanted, Clock& clock_in)
      : request(std::move(wanted)),
        takeover(request.transfer, request.destination, request.options, request.filters),
        clock(clock_in),
        root(open_destination(request)),
        lock(Lock::take(root)),
        disk(root),
        recovery(begin(disk, clock, request)) {
    Options options = request.options;
    if (request.choose_compare) options.compare = Compare::Quick;
    local = scan_destination(root, request.destination, options, request.filters);
    if (!request.choose_compare) return;
    request.options.compare = suitable_compare(local.scan);
    if (request.options.compare == Compare::Content) {
      local = scan_destination(root, request.destination, request.options, request.filters);
    }
  }

  PullRequest request;
  const Takeover takeover;
  Clock& clock;
  Dir root;
  Lock lock;
  RealDisk disk;
  Recovery recovery;
  LocalTree local;
};

// One dialogue with a server.
class Receiver::Session {
 public:
  Session(State& state, Channel& channel)
      : state_(state),
        request_(state.request),
        local_(state.local.scan.entries),
        channel_(channel),
        incoming_(channel, {state.disk, state.root, local_, request_.options, state.takeover,
                            request_.filters, request_.max_entries, request_.run_id, looks_only(),
                            [this](const auto& problems) { add_problems(problems); }}),
        target_(incoming_.target()) {}

  PullResult run() {
    exchange();
    set_links_aside();
    return std::move(result_);
  }

 private:
  void exchange() {
    result_.recovered = state_.recovery.completed;
    add_problems(state_.local.scan.problems);
    add_problems(state_.recovery.problems);
    const Hello hello = make_hello();
    const Welcome welcome = channel_.connect(hello);
    Message answer = channel_.receive();
    if (const auto* same = std::get_if<Unchanged>(&answer)) return unchanged(*same);
    // That the server lacks what it excludes itself is no reason to delete ours.
    fenced_ = names_behind(welcome.filters, local_, request_.destination);
    const bool complete = incoming_.take_manifest(std::move(answer), hello.index.has_value());
    if (looks_only()) {
      preview(complete);
    } else {
      pull(complete);
    }
  }

  // Links that nobody wanted are no failure, as with rsync; a run says how many it passed over. One
  // of ours in the way of something else remains one.
  void set_links_aside() {
    if (request_.options.keep.has(Keep::Symlinks)) return;
    const auto passed = std::erase_if(result_.problems, [this](const Problem& one) {
      return one.what == kLinkNotCopied && find_entry(target_, one.path) == nullptr;
    });
    if (passed == 0) return;
    result_.notes.push_back(std::to_string(passed) + " symbolic " +
                            (passed == 1 ? "link" : "links") + " not copied (--links)");
  }

  bool looks_only() const { return request_.preview && !request_.examine; }

  Hello make_hello() const {
    Hello hello;
    hello.features = kOurFeatures;
    if (!request_.compress) {
      constexpr Features kZstd{Feature::Zstd};
      hello.features = Features::from_bits(kOurFeatures.bits() & ~kZstd.bits());
    }
    hello.version = request_.version;
    hello.root = request_.root;
    hello.options = request_.options;
    hello.filters = request_.filters.to_wire();
    const Takeover& takeover = state_.takeover;
    if (takeover.equal_is_done(request_.options))
      hello.generation = generation(local_, request_.options);
    const bool fits = local_.list.size() <= limits::kIndex;
    if (!takeover.policy().needs_own_entries() && fits) {
      const std::uint64_t seed = request_.run_id;
      hello.index = Index{seed, fingerprints(local_, request_.options, seed)};
    }
    return hello;
  }

  void unchanged(const Unchanged& same) {
    if (same.generation != generation(local_, request_.options)) {
      throw Error(Fault::Protocol, "the server calls another generation than ours unchanged");
    }
    add_problems(same.problems);
    if (request_.approve) request_.approve({}, local_, local_, result_.problems);
    count(local_);
    result_.generation = same.generation;
  }

  void add_problems(const std::vector<Problem>& more) {
    for (const Problem& problem : more) {
      if (told_.emplace(problem.path, problem.what).second) result_.problems.push_back(problem);
    }
  }

  void pull(bool complete) {
    Plan plan = make();
    for (;;) {
      const Backups backups = state_.takeover.backups(plan, local_, target_);
      // The plan may grow with what changed, so a place is found for all of it anew.
      incoming_.reach(paths_of(plan, backups));
      Staging& staging = incoming_.staging();
      Fetch& fetch = incoming_.fetch();
      for (const Action& action : plan.actions) {
        if (action.kind == ActionKind::MakeDir) staging.nest(action.path);
      }
      const auto staged = [&fetch](const Entry& entry) { return fetch.is_staged(entry.path); };
      check_space(state_.disk, staging.areas(), plan, target_, staged);
      FinalAttributes attributes(state_.disk, target_, request_.options, 0022,
                                 &state_.takeover.policy());
      stage_links(plan, staging, fetch);
      // In one flight with the last of them: the seal follows the answers at once.
      fetch.stage(plan, target_, incoming_.numbers(), attributes, [&] {
        if (!complete) channel_.send(Enough{fetch.wanted()});
      });
      Message answer = channel_.receive();
      if (const auto* sealed = std::get_if<Seal>(&answer)) {
        result_.literal = fetch.literal();
        if (request_.preview) return examine(plan, fetch.staged(plan, target_), *sealed);
        return commit_plan(plan, backups, staging, fetch.staged(plan, target_), attributes,
                           *sealed);
      }
      complete = incoming_.take_changes(std::move(answer));
      plan = make();
    }
  }

  void stage_links(const Plan& plan, Staging& staging, Fetch& fetch) {
    for (const auto& [path, staged] : state_.takeover.link_dest().stage(
             staging, plan, target_, request_.options, state_.takeover.policy())) {
      fetch.forget(path);
      fetch.adopt(path, staged);
    }
  }

  static std::vector<std::string> paths_of(const Plan& plan, const Backups& backups) {
    std::vector<std::string> paths;
    paths.reserve(backups.list.size() + plan.actions.size());
    for (const Backup& backup : backups.list) paths.push_back(backup.to);
    for (const Action& action : plan.actions) paths.push_back(action.path);
    return paths;
  }

  Plan make() {
    for (const Entry& entry : target_.list) state_.takeover.check(entry);
    add_problems(state_.takeover.missing(target_));
    if (only_root(target_) && !only_root(local_) && request_.remove && !request_.allow_empty) {
      throw Error(
          Fault::Refused,
          "the source is empty and we are not: is its file system mounted? nothing was changed");
    }
    PlanRules rules;
    rules.options = request_.options;
    rules.remove = request_.remove;
    rules.index_files = request_.index_files;
    const LocalTree& tree = state_.local;
    rules.untouchable = tree.scan.mounts;
    add_problems(wishes_inside(tree.scan.mounts, target_));
    rules.is_protected = [&tree](std::string_view path, bool) { return tree.is_protected(path); };
    rules.is_protected_when_deleting = [&tree](std::string_view path, bool) {
      return tree.is_protected_when_deleting(path);
    };
    rules.untouchable.insert(rules.untouchable.end(), tree.excluded.begin(), tree.excluded.end());
    rules.untouchable.insert(rules.untouchable.end(), fenced_.begin(), fenced_.end());
    state_.takeover.add_to(rules);
    for (const Problem& problem : result_.problems) rules.untouchable.push_back(problem.path);
    Plan plan = make_plan(local_, target_, rules);
    state_.takeover.check(plan);
    if (request_.approve) request_.approve(plan, local_, target_, result_.problems);
    return plan;
  }

  // What is told of a plan, whether or not it is carried out.
  void describe(const Plan& plan) {
    add_problems(plan.problems);
    result_.stayed = plan.kept;
    result_.changed = !plan.empty();
    result_.changes = plan.changes;
    count(target_);
  }

  void count(const Entries& entries) {
    result_.entries = entries.list.size();
    result_.total_size = 0;
    for (const Entry& entry : entries.list) {
      if (entry.type == EntryType::File) result_.total_size += entry.size;
    }
  }

  // What would happen, for a state that the source really had.
  void preview(bool complete) {
    for (;;) {
      const Plan plan = make();
      if (!complete) channel_.send(Enough{0});
      Message answer = channel_.receive();
      if (const auto* sealed = std::get_if<Seal>(&answer)) {
        check_seal(*sealed);
        return looked(plan, *sealed);
      }
      complete = incoming_.take_changes(std::move(answer));
    }
  }

  void examine(const Plan& plan, const StagedFiles& files, const Seal& sealed) {
    check_seal(sealed);
    check_complete(plan, files);
    request_.examine({plan, local_, target_, state_.disk, files});
    looked(plan, sealed);
  }

  void looked(const Plan& plan, const Seal& sealed) {
    describe(plan);
    result_.generation = sealed.generation;
    channel_.finish("looked");
  }

  void check_seal(const Seal& sealed) const {
    if (generation(target_, request_.options) == sealed.generation) return;
    throw Error(Fault::Mismatch, "what arrived is not what the server sealed: nothing was changed");
  }

  static void check_complete(const Plan& plan, const StagedFiles& files) {
    if (files.size() == plan.contents.size()) return;
    throw Error(Fault::Protocol, "the server sealed a state of which it never sent all files");
  }

  void commit_plan(const Plan& plan, const Backups& backups, Staging& staging,
                   const StagedFiles& files, FinalAttributes& attributes, const Seal& sealed) {
    check_seal(sealed);
    check_complete(plan, files);
    CommitRequest commit_request;
    incoming_.fetch().drop_all_but(plan, target_);
    Prepared prepared = prepare(staging, plan, target_, files, attributes);
    commit_request.steps = std::move(prepared.steps);
    commit_request.inside = std::move(prepared.inside);
    std::vector<Problem> without_backup = backups.problems;
    add_backup_steps(staging, backups, commit_request.steps, without_backup);
    if (request_.wake) commit_request.wake = request_.wake(plan);
    commit_request.on_wake = request_.on_wake;
    commit_request.last_word = request_.last_word;
    commit_request.keep = request_.keep;
    const CommitResult done = commit(staging, state_.clock, std::move(commit_request));
    describe(plan);
    for (const std::string& path : done.as_they_were) {
      std::erase_if(result_.changes, [&](const Change& change) { return change.path == path; });
      result_.changed = !result_.changes.empty();
    }
    add_problems(without_backup);
    add_problems(done.problems);
    result_.notes = done.notes;
    result_.kept = done.generation;
    result_.window = done.window;
    result_.generation = sealed.generation;
    channel_.finish(std::to_string(plan.changes.size()) + " changes");
  }

  State& state_;
  const PullRequest& request_;
  const Entries& local_;
  Channel& channel_;
  PullResult result_;
  std::set<std::pair<std::string, std::string>> told_;  // of its problems
  Incoming incoming_;
  const Entries& target_;
  std::vector<std::string> fenced_;
};

Receiver::Receiver(PullRequest request, Clock& clock)
    : state_(std::make_unique<State>(std::move(request), clock)) {}
Receiver::~Receiver() = default;

const Recovery& Receiver::recovery() const { return state_->recovery; }

PullResult Receiver::run(Channel& channel) {
  try {
    return Session(*state_, channel).run();
  } catch (const Error& error) {
    channel.abort(error);
    throw;
  }
}

}  // namespace xs

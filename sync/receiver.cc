// SPDX-License-Identifier: MIT
#include "sync/receiver.h"

#include <algorithm>
#include <numeric>
#include <variant>

#include "base/text.h"
#include "protocol/entries.h"
#include "sync/entries_builder.h"
#include "sync/fetch.h"
#include "sync/filter_walk.h"
#include "sync/hash.h"
#include "sync/local_tree.h"
#include "sync/lock.h"
#include "sync/real_disk.h"

namespace xs {
namespace {

RecoveryRules recovery_rules(const PullRequest& request) {
  return {request.on_wake, {}, request.keep};
}

// Room for the hello's other fields beside the index.
bool fits_in_hello(const Entries& index) {
  std::string bytes;
  encode_entries(index, bytes);
  return bytes.size() <= limits::kIndex;
}

const Entry* find_entry(const Entries& entries, std::string_view path) {
  const auto at = std::lower_bound(
      entries.list.begin(), entries.list.end(), path,
      [](const Entry& entry, std::string_view wanted) { return path_less(entry.path, wanted); });
  return at != entries.list.end() && at->path == path ? &*at : nullptr;
}

bool only_root(const Entries& entries) { return entries.list.size() <= 1; }

void check_count(std::size_t entries, const PullRequest& request) {
  if (entries <= request.max_entries) return;
  throw Error(Fault::Refused,
              "the source has more than " + std::to_string(request.max_entries) + " entries");
}

// What a peer may ask us to make, beyond what the codec has checked.
void check_wish(const Entry& entry) {
  constexpr unsigned kSetIds = 06000;
  if (entry.type == EntryType::File && (entry.mode & kSetIds) != 0) {
    throw Error(Fault::Refused,
                quote(entry.path) + " is setuid or setgid at the source: such files are not taken");
  }
}

// Which numbers the server has for the entries of `merged`, that was made of these two: `news` have
// ascending ones from `first`.
std::vector<std::uint32_t> merge_numbers(const Entries& merged, const Entries& base,
                                         const std::vector<std::uint32_t>& of_base,
                                         const Entries& news, std::uint32_t first) {
  std::vector<std::uint32_t> numbers(merged.list.size(), Fetch::kNoNumber);
  std::size_t old = 0;
  std::size_t fresh = 0;
  for (std::size_t at = 0; at < numbers.size(); ++at) {
    const std::string& path = merged.list[at].path;
    while (old < of_base.size() && path_less(base.list[old].path, path)) ++old;
    const bool is_new = fresh < news.list.size() && news.list[fresh].path == path;
    const bool is_old = old < of_base.size() && base.list[old].path == path;
    if (is_new) {
      numbers[at] = first + static_cast<std::uint32_t>(fresh++);
    } else if (is_old) {
      numbers[at] = of_base[old];
    }
  }
  return numbers;
}

}  // namespace

struct Receiver::State {
  State(PullRequest wanted, Clock& clock_in)
      : request(std::move(wanted)),
        clock(clock_in),
        root(Dir::open_root(request.destination)),
        lock(Lock::take(root)),
        disk(root),
        recovery(recover(disk, clock, recovery_rules(request))) {
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
        channel_(channel) {}

  PullResult run() {
    result_.recovered = state_.recovery.completed;
    result_.problems = state_.local.scan.problems;
    add_problems(state_.recovery.problems);
    const Hello hello = make_hello();
    const Welcome welcome = channel_.connect(hello);
    Message answer = channel_.receive();
    if (const auto* same = std::get_if<Unchanged>(&answer)) return unchanged(*same);
    take_fence(welcome);
    Batch batch = collect<Manifest>(std::move(answer));
    if (hello.index) {
      merge(local_, batch);
    } else {
      numbers_.resize(batch.entries.list.size());
      std::iota(numbers_.begin(), numbers_.end(), batch.first);
      target_ = std::move(batch.entries);
    }
    if (request_.preview && !request_.examine) {
      preview(batch.complete);
    } else {
      pull(batch.complete);
    }
    return std::move(result_);
  }

 private:
  struct Batch {
    Entries entries;
    std::uint32_t first = 0;  // the server's number of the first of them
    std::vector<std::string> gone;
    bool complete = false;
  };

  // Contents that arrive inside of entries: held while they are few, staged as they come beyond
  // that, whether or not a plan will want them.
  class Inlined {
   public:
    Inlined(Session& session, const EntriesBuilder& entries)
        : session_(session),
          attributes_(session.state_.disk, entries.so_far(), session.request_.options) {}

    // The entry that was added last.
    void add(EntriesBuilder& entries) {
      const std::size_t at = entries.size() - 1;
      const Entry& entry = entries.so_far().list[at];
      if (!entry.inlined) return;
      if (session_.looks_only()) return entries.drop_content(at);
      held_.push_back(at);
      bytes_ += entry.content.size();
      if (bytes_ > (staging_ ? kStageAtOnce : kHold)) stage(entries);
    }

   private:
    static constexpr std::size_t kHold = std::size_t{4} << 20;
    static constexpr std::size_t kStageAtOnce = std::size_t{256} << 10;

    void stage(EntriesBuilder& entries) {
      staging_ = true;
      std::vector<std::string> paths;
      paths.reserve(held_.size());
      for (const std::size_t at : held_) paths.push_back(entries.so_far().list[at].path);
      session_.reach(paths);
      SpaceNeeded needed;
      for (const std::size_t at : held_) {
        const Entry& entry = entries.so_far().list[at];
        needed.add_file(session_.staging_->areas().root_of(entry.path), entry.size);
      }
      needed.check(session_.state_.disk);
      for (const std::string& path : paths)
        session_.nest_if_new(std::string(split_path(path).parent));
      for (const std::size_t at : held_) {
        session_.fetch_->stage_early(entries.so_far().list[at], attributes_);
        entries.drop_content(at);
      }
      held_.clear();
      bytes_ = 0;
    }

    Session& session_;
    FinalAttributes attributes_;
    std::vector<std::size_t> held_;
    std::size_t bytes_ = 0;
    bool staging_ = false;
  };

  bool looks_only() const { return request_.preview && !request_.examine; }

  // A directory that the plan will most likely make, and those above it that it will make, too.
  void nest_if_new(const std::string& dir) {
    std::vector<std::string> fresh;
    for (std::string at = dir; !at.empty() && staging_->nest_of(at) == nullptr;
         at = std::string(split_path(at).parent)) {
      const Entry* local = find_entry(local_, at);
      if (local != nullptr && local->type == EntryType::Dir) break;
      fresh.push_back(at);
    }
    for (; !fresh.empty(); fresh.pop_back()) staging_->nest(fresh.back());
  }

  // The staging, with a place for each of these.
  void reach(const std::vector<std::string>& paths) {
    const Areas areas = Areas::find(state_.disk, paths);
    if (staging_) {
      staging_->widen(areas);
    } else {
      staging_.emplace(state_.disk, areas, request_.run_id);
      fetch_.emplace(channel_, *staging_, state_.root);
    }
  }

  Hello make_hello() const {
    Hello hello;
    hello.features = kOurFeatures;
    hello.version = request_.version;
    hello.root = request_.root;
    hello.options = request_.options;
    hello.filters = request_.filters.to_wire();
    hello.generation = generation(local_, request_.options);
    if (fits_in_hello(local_)) hello.index = local_;
    return hello;
  }

  PullResult unchanged(const Unchanged& same) {
    if (same.generation != generation(local_, request_.options)) {
      throw Error(Fault::Protocol, "the server calls another generation than ours unchanged");
    }
    add_problems(same.problems);
    count(local_);
    result_.generation = same.generation;
    channel_.finish("nothing to do");
    return std::move(result_);
  }

  void add_problems(const std::vector<Problem>& more) {
    for (const Problem& problem : more) {
      if (std::find(result_.problems.begin(), result_.problems.end(), problem) ==
          result_.problems.end()) {
        result_.problems.push_back(problem);
      }
    }
  }

  // Names that the server itself excludes: that it lacks them is no reason to delete ours.
  void take_fence(const Welcome& welcome) {
    if (welcome.filters.empty()) return;
    const FilterList rules = FilterList::from_wire(welcome.filters);
    FilterWalk::Config config;
    config.root = request_.destination;
    config.receiver = false;
    FilterWalk walk(rules, config);
    for (const Entry& entry : local_.list) {
      if (!entry.path.empty() &&
          walk.hidden_with_parents(entry.path, entry.type == EntryType::Dir)) {
        fenced_.push_back(entry.path);
      }
    }
  }

  // All parts of a manifest, or of what changed.
  template <class M>
  Batch collect(Message message) {
    Batch batch;
    batch.first = received_;
    EntriesBuilder entries;
    Inlined inlined(*this, entries);
    for (;;) {
      auto* part = std::get_if<M>(&message);
      if (part == nullptr) throw Error(Fault::Protocol, "a list of entries breaks off");
      for (Entry& entry : part->entries.list) {
        check_count(entries.size() + 1, request_);
        check_wish(entry);
        if (fetch_) fetch_->forget(entry.path);
        ++received_;
        entries.add(part->entries, std::move(entry));
        inlined.add(entries);
      }
      for (const std::string& path : part->gone) {
        if (fetch_) fetch_->forget(path);
      }
      batch.gone.insert(batch.gone.end(), part->gone.begin(), part->gone.end());
      add_problems(part->problems);
      if (part->part != Part::More) {
        batch.complete = part->part == Part::Complete;
        batch.entries = entries.take();
        check_order(batch);
        return batch;
      }
      message = channel_.receive();
    }
  }

  // Each part is sorted; all of them together must be, too.
  static void check_order(const Batch& batch) {
    const auto& list = batch.entries.list;
    for (std::size_t i = 1; i < list.size(); ++i) {
      if (!path_less(list[i - 1].path, list[i].path))
        throw Error(Fault::Protocol, "entries out of order");
    }
    for (std::size_t i = 1; i < batch.gone.size(); ++i) {
      if (!path_less(batch.gone[i - 1], batch.gone[i]))
        throw Error(Fault::Protocol, "paths out of order");
    }
  }

  // The tree that `base` becomes with what came.
  void merge(const Entries& base, const Batch& batch) {
    Entries merged = merge_entries(base, batch.gone, batch.entries);
    numbers_ = merge_numbers(merged, base, numbers_, batch.entries, batch.first);
    target_ = std::move(merged);
  }

  void pull(bool complete) {
    Plan plan = make();
    for (;;) {
      // The plan may grow with what changed, so a place is found for all of it anew.
      reach(paths_of(plan));
      for (const Action& action : plan.actions) {
        if (action.kind == ActionKind::MakeDir) staging_->nest(action.path);
      }
      const auto staged = [this](const Entry& entry) { return fetch_->has(entry); };
      check_space(state_.disk, staging_->areas(), plan, target_, staged);
      FinalAttributes attributes(state_.disk, target_, request_.options);
      fetch_->stage(plan, target_, numbers_, attributes);
      if (!complete) channel_.send(Enough{fetch_->wanted()});
      Message answer = channel_.receive();
      if (const auto* sealed = std::get_if<Seal>(&answer)) {
        result_.literal = fetch_->literal();
        if (request_.preview) return examine(plan, fetch_->staged(plan, target_), *sealed);
        return commit_plan(plan, *staging_, fetch_->staged(plan, target_), attributes, *sealed);
      }
      const Batch batch = collect<Changed>(std::move(answer));
      complete = batch.complete;
      merge(target_, batch);
      plan = make();
    }
  }

  static std::vector<std::string> paths_of(const Plan& plan) {
    std::vector<std::string> paths;
    paths.reserve(plan.actions.size());
    for (const Action& action : plan.actions) paths.push_back(action.path);
    return paths;
  }

  Plan make() {
    check_count(target_.list.size(), request_);
    for (const Entry& entry : target_.list) check_wish(entry);
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
    rules.is_protected = [&tree](std::string_view path, bool) { return tree.is_protected(path); };
    rules.is_protected_when_deleting = [&tree](std::string_view path, bool) {
      return tree.is_protected_when_deleting(path);
    };
    rules.untouchable = tree.excluded;
    rules.untouchable.insert(rules.untouchable.end(), fenced_.begin(), fenced_.end());
    for (const Problem& problem : result_.problems) rules.untouchable.push_back(problem.path);
    Plan plan = make_plan(local_, target_, rules);
    if (request_.approve) request_.approve(plan, local_, target_);
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
      const Batch batch = collect<Changed>(std::move(answer));
      complete = batch.complete;
      merge(target_, batch);
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

  void commit_plan(const Plan& plan, Staging& staging, const StagedFiles& files,
                   FinalAttributes& attributes, const Seal& sealed) {
    check_seal(sealed);
    check_complete(plan, files);
    CommitRequest commit_request;
    fetch_->drop_all_but(plan, target_);
    Prepared prepared = prepare(staging, plan, target_, files, attributes);
    commit_request.steps = std::move(prepared.steps);
    commit_request.inside = std::move(prepared.inside);
    commit_request.wake = request_.wake;
    commit_request.on_wake = request_.on_wake;
    commit_request.keep = request_.keep;
    const CommitResult done = commit(staging, state_.clock, std::move(commit_request));
    describe(plan);
    add_problems(done.problems);
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
  Entries target_;
  std::vector<std::string> fenced_;
  std::vector<std::uint32_t> numbers_;  // the server's, of each entry of the target
  std::uint32_t received_ = 0;          // entries, and so its next number
  std::optional<Staging> staging_;      // once there is something to stage
  std::optional<Fetch> fetch_;
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

// SPDX-License-Identifier: MIT
// The program under load. XS_LONG=yes goes on for longer.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "base/io.h"
#include "companion/http_server.h"
#include "tests/companion/node.h"
#include "tests/support/catch.h"
#include "tests/support/sshd.h"
#include "tests/support/temp_dir.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Node;
using test::RawClient;

namespace {

using Clients = std::vector<std::unique_ptr<RawClient>>;
using Milliseconds = std::chrono::duration<double, std::milli>;

bool is_long() {
  const char* value = std::getenv("XS_LONG");
  return value != nullptr && std::string(value) == "yes";
}

// Sanitizers and missing optimisation change what time and memory mean.
#ifdef XS_RELEASE
constexpr bool kRelease = true;
#else
constexpr bool kRelease = false;
#endif

// What the kernel says of a process.
struct Process {
  explicit Process(pid_t pid) : place("/proc/" + std::to_string(pid)) {}
  // A line of status: "VmRSS", "VmHWM", "Threads".
  unsigned long long status(const std::string& key) const {
    const std::string text = read_file(place + "/status", 1U << 16);
    const std::size_t at = text.find("\n" + key + ":");
    REQUIRE(at != std::string::npos);
    return std::stoull(text.substr(at + key.size() + 2));
  }
  std::size_t descriptors() const {
    const std::filesystem::directory_iterator all(place + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
  }
  std::string place;
};

// A probe as a load balancer sends it, with a connection of its own.
Milliseconds probe(const Node& node, const std::string& status) {
  const auto start = std::chrono::steady_clock::now();
  const std::string said = test::http_ask(node.host, node.health, "GET /").status();
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(said == "HTTP/1.1 " + status);
  return took;
}

// Somebody else's server on this host, which has nothing to do: what it takes longer for than 25 ms
// says that the machine has no time for anybody.
class Control {
 public:
  Control()
      : server_(
            listen_on({"127.0.0.1", 0, "test"}, "port", ""),
            [](const HttpRequest&) { return HttpAnswer{}; }, clock_) {}
  Milliseconds probe() const {
    const auto start = std::chrono::steady_clock::now();
    test::http_ask(server_.port(), "GET /");
    return std::chrono::steady_clock::now() - start;
  }

 private:
  SteadyClock clock_;
  HttpServer server_;
};

// The 99th of 100 probes, in the best of three rounds: one round may meet somebody else's work.
Milliseconds slowest_of_probes(const Node& node, const std::string& status) {
  const Control control;
  Milliseconds best = 1h, best_control = 1h;
  for (int round = 0; round < 3 && best > 10ms; ++round) {
    std::vector<Milliseconds> took, controls;
    for (int i = 0; i < 100; ++i) {
      took.push_back(probe(node, status));
      controls.push_back(control.probe());
    }
    std::sort(took.begin(), took.end());
    std::sort(controls.begin(), controls.end());
    best = std::min(best, took[98]);
    best_control = std::min(best_control, controls[98]);
  }
  const bool overloaded = best_control > 25ms;
  if (overloaded) WARN("not judged: even an idle server took " << best_control.count() << " ms");
  CHECK(best < (kRelease && !overloaded ? Milliseconds(50ms) : Milliseconds(5s)));
  return best;
}

void say(const std::string& what, double value, const std::string& unit) {
  std::cout << "load: " << what << ": " << value << " " << unit << "\n";
}

// wrk, beside the test, until its time is over.
class Wrk {
 public:
  Wrk(const Node& node, int seconds)
      : child_({"wrk", "-t", "1", "-c", "32", "-d", std::to_string(seconds),
                "http://" + node.host + ":" + std::to_string(node.health)},
               dir_ / "output") {}
  // How many requests a second it got through; every answer was `works`, or none.
  double end(bool works) {
    CHECK(child_.ended_within(60s));
    const std::string out = dir_.read("output");
    INFO(out);
    CHECK(out.find("Socket errors") == std::string::npos);
    CHECK((out.find("Non-2xx") == std::string::npos) == works);
    const std::string label = "Requests/sec:";
    const std::size_t at = out.find(label);
    REQUIRE(at != std::string::npos);
    return std::stod(out.substr(at + label.size()));
  }

 private:
  test::TempDir dir_;
  test::Child child_;
};

// 400 clients that hang: silent, in the middle of a request, of a body, or sending a byte now and
// then.
class Hanging {
 public:
  explicit Hanging(const Node& node) {
    for (unsigned i = 0; i < 400; ++i) {
      // From elsewhere than the probe, as the clients of a node are.
      const std::string from = "127.0.2." + std::to_string(1 + i % 200);
      clients_.push_back(std::make_unique<RawClient>(node.host, node.health, from));
      switch (i % 4) {
        case 0: break;
        case 1: clients_.back()->send("GET / HTTP/1.1\r\nHost: a\r\nX: "); break;
        case 2: clients_.back()->send("POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"); break;
        default: clients_.back()->send("G"); break;
      }
    }
  }
  // One byte of every client that sends, slowly: whoever ends a request has the right to another.
  void drip() {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_drip_) return;
    next_drip_ = now + 50ms;
    for (std::size_t i = 1; i < clients_.size(); ++i) {
      if (i % 4 != 0) clients_[i]->send("E");
    }
  }
  std::size_t still_open() {
    return static_cast<std::size_t>(std::count_if(
        clients_.begin(), clients_.end(), [](auto& client) { return !client->has_ended(); }));
  }

 private:
  Clients clients_;
  std::chrono::steady_clock::time_point next_drip_;
};

struct Mode {
  std::string name;
  std::string status;
};

void tell(const Mode& mode, Milliseconds alone, Milliseconds busy, double rate) {
  say(mode.name + ", probe beside 400 that hang, 99 %", alone.count(), "ms");
  say(mode.name + ", probe beside wrk, 99 %", busy.count(), "ms");
  say(mode.name + ", wrk", rate, "requests/s");
}

void tell_memory(const Mode& mode, const Process& process, unsigned long long idle) {
  say(mode.name + ", own memory idle", static_cast<double>(idle), "KiB");
  say(mode.name + ", own memory afterwards", static_cast<double>(process.status("RssAnon")), "KiB");
  say(mode.name + ", memory at most", static_cast<double>(process.status("VmHWM")), "KiB");
  if (kRelease) CHECK(process.status("VmHWM") <= 16 * 1024);
}

// Starts in its mode, whose check has been asked and is not asked again for 30 s.
void start(Node& node, const Mode& mode) {
  const bool fails = mode.name == "fails";
  node.configure(fails ? "[checks]\nauth-key = false\nserverconf-db = false\n" : Node::kNoChecks);
  node.serve();
  if (mode.name == "maintenance") node.run({"maintenance", "on"});
  REQUIRE(test::eventually([&] {
    const std::string status = test::http_ask(node.host, node.health, "GET /").status();
    return status == "HTTP/1.1 " + mode.status &&
           (!fails || node.daemon().log().find("is expired") != std::string::npos);
  }));
}

}  // namespace

TEST_CASE("load: few descriptors are kept for the balancer and the checks", "[load]") {
  Node node;
  node.configure(Node::kNoChecks);
  std::vector<std::string> line = node.line({"serve"});
  line.insert(line.begin(), {"/usr/bin/prlimit", "--nofile=200:200"});
  test::Daemon daemon(line, node.tree.path_of("log"));
  REQUIRE(test::eventually([&] { return node.lives(); }));
  Clients idle;
  for (unsigned i = 0; i < 600; ++i) {
    idle.push_back(std::make_unique<RawClient>(i % 3 == 0 ? node.admin : node.health));
    if (i % 20 == 19) CHECK(probe(node, "200 OK") < 2s);
  }
  CHECK(node.lives());
  CHECK(Process(daemon.pid()).descriptors() < 190);
}

TEST_CASE("load: 400 hanging clients and wrk delay no probe and cost little", "[load]") {
  Node node;
  const Mode mode = GENERATE(Mode{"works", "200 OK"}, Mode{"fails", "500 Internal Server Error"},
                             Mode{"maintenance", "503 Service Unavailable"});
  start(node, mode);
  const Process process(node.daemon().pid());
  const auto threads = process.status("Threads");
  const auto descriptors = process.descriptors();
  // Not the program's pages, which are read in as it is used.
  const auto idle = process.status("RssAnon");
  {
    Hanging hanging(node);
    const Milliseconds alone = slowest_of_probes(node, mode.status);
    CHECK(hanging.still_open() == 400);
    Wrk wrk(node, is_long() ? 20 : 2);
    const Milliseconds busy = slowest_of_probes(node, mode.status);
    hanging.drip();
    tell(mode, alone, busy, wrk.end(mode.name == "works"));
    CHECK(process.status("Threads") == threads);
    // Silent or dripping, they go when their 10 s are over.
    CHECK(test::eventually([&] {
      hanging.drip();
      return hanging.still_open() == 0;
    }));
  }
  CHECK(test::eventually([&] { return process.descriptors() <= descriptors; }));
  constexpr unsigned long long kMore = 512;
  CHECK((!kRelease || test::eventually([&] { return process.status("RssAnon") <= idle + kMore; })));
  tell_memory(mode, process, idle);
  CHECK(process.status("Threads") == threads);
  node.daemon().signal(SIGTERM);
  CHECK(node.daemon().wait() == 0);
}

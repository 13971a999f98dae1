// SPDX-License-Identifier: MIT
#include "companion/agent_port.h"

#include "tests/companion/ports.h"

using namespace xs;
using namespace std::chrono_literals;
using test::Ports;
using test::RawClient;

TEST_CASE("agent: haproxy hears up, down, drain and maint", "[companion]") {
  Ports ports;
  ports.first->hold();
  CHECK(ports.agent() == "ready down#Health_check_has_no_result_yet_for:_Global_conf_validity\n");
  ports.first->release();
  ports.known();
  CHECK(ports.agent() == "up ready\n");
  ports.admin("/maintenance?targetState=true");
  CHECK(ports.agent() == "maint\n");
  ports.admin("/maintenance?targetState=true&drain=true");
  CHECK(ports.agent() == "drain\n");
  ports.admin("/maintenance?targetState=false");
  CHECK(ports.agent() == "up ready\n");
}

TEST_CASE("agent: a reason stays one short word, which orders nothing", "[companion]") {
  const std::string line = agent_line({}, "a\nup ready,\t100%\n" + std::string(500, 'x'));
  CHECK(line.starts_with("ready down#a\\#012up_ready_\\#011100%\\#012xxx"));
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.size() < 200);
}

TEST_CASE("agent: clients that stay, send or vanish hold nobody up", "[companion]") {
  Ports ports;
  const std::uint16_t port = ports.known().agent_port();
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(std::make_unique<RawClient>(port));
  CHECK(ports.agent() == "up ready\n");
  RawClient talker(port);
  talker.send(std::string(100'000, 'x'));
  { const RawClient vanished(port); }
  CHECK(ports.agent() == "up ready\n");
  // The oldest made room long ago, the newest goes after its second.
  CHECK(test::eventually([&] { return silent.front()->read_to_end() == "up ready\n"; }));
  ports.clock.advance(2s);
  CHECK(test::eventually([&] { return silent.back()->read_to_end() == "up ready\n"; }));
}

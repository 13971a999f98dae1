// SPDX-License-Identifier: MIT
#include "sync/sender.h"

#include <variant>

#include "base/text.h"

namespace xs {
namespace {

std::string talk(Channel& channel, const SenderConfig& config) {
  channel.greet();
  const Hello hello = channel.accept();
  if (!hello.root.empty()) {
    throw Error(Fault::Unsupported,
                "this server serves no tree: " + quote(hello.root) + " was asked for");
  }
  channel.welcome({hello.features, config.version});
  const Message last = channel.receive();  // the channel itself answers the pings
  if (const auto* bye = std::get_if<Bye>(&last)) return bye->outcome;
  throw Error(Fault::Protocol,
              "a " + std::string(spec_of(last).name) + " message without a tree to ask for");
}

}  // namespace

std::string serve(Channel& channel, const SenderConfig& config) {
  try {
    return talk(channel, config);
  } catch (const Error& error) {
    channel.abort(error);
    throw;
  }
}

}  // namespace xs

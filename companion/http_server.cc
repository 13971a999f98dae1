// SPDX-License-Identifier: MIT
#include "companion/http_server.h"

#include <malloc.h>
#include <microhttpd.h>
#include <spdlog/spdlog.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "companion/connections.h"
#include "companion/listen.h"

namespace xs {
namespace {

#if MHD_VERSION < 0x00097002
using MhdResult = int;
#else
using MhdResult = MHD_Result;
#endif

using Pairs = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kPairLimit = 64;

MhdResult keep_pair(void* into, MHD_ValueKind, const char* name, const char* value) noexcept {
  try {
    auto& pairs = *static_cast<Pairs*>(into);
    if (pairs.size() >= kPairLimit) return MHD_NO;
    pairs.emplace_back(name == nullptr ? "" : name, value == nullptr ? "" : value);
    return MHD_YES;
  } catch (...) {
    return MHD_NO;
  }
}

int descriptor_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == nullptr ? -1 : info->connect_fd;
}

const sockaddr* peer_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  return info == nullptr ? nullptr : info->client_addr;
}

std::string own_address(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  return ::getsockname(fd, raw, &size) == 0 ? address_text(raw) : "";
}

MhdResult send(MHD_Connection* connection, const HttpAnswer& reply) {
  // The library copies the bytes at once.
  MHD_Response* response = MHD_create_response_from_buffer(
      reply.body.size(), const_cast<char*>(reply.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  if (!reply.content_type.empty()) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply.content_type.c_str());
  }
  const MhdResult sent = MHD_queue_response(connection, reply.status, response);
  MHD_destroy_response(response);
  return sent;
}

void log_line(void*, const char* format, va_list arguments) noexcept {
  std::array<char, 256> line{};
  if (std::vsnprintf(line.data(), line.size(), format, arguments) > 0) {
    spdlog::debug("http: {}", escape(trim(line.data())));
  }
}

const std::string* first_named(const Pairs& pairs, std::string_view name, bool fold) {
  const std::string wanted(name);
  for (const auto& [key, value] : pairs) {
    if (fold ? ::strcasecmp(key.c_str(), wanted.c_str()) == 0 : key == wanted) return &value;
  }
  return nullptr;
}

// What is known of a request while its body arrives.
struct Exchange {
  std::string body;
  bool too_long = false;
};

}  // namespace

const std::string* HttpRequest::header(std::string_view name) const {
  return first_named(headers, name, true);
}

const std::string* HttpRequest::parameter(std::string_view name) const {
  return first_named(query, name, false);
}

struct HttpServer::Parts {
  Parts(HttpHandler answer, Clock& clock, HttpLimits given)
      : handler(std::move(answer)),
        limits(given),
        connections(clock, given.connections - given.connections / 8, given.first_request,
                    given.idle + std::chrono::seconds(5)) {}

  HttpHandler handler;
  HttpLimits limits;
  Connections connections;
  std::uint16_t port = 0;
  std::size_t most = 0;  // connections since the last time that memory was given back
  MHD_Daemon* daemon = nullptr;

  HttpAnswer answer(const HttpRequest& request) const noexcept {
    try {
      return handler(request);
    } catch (const std::exception& error) {
      spdlog::error("http: {}", escape_again(error.what()));
      return {500, "", ""};
    }
  }

  MhdResult handle(MHD_Connection* connection, const char* url, const char* method,
                   const std::string& body) const {
    HttpRequest request;
    request.method = method;
    request.path = url;
    request.body = body;
    const sockaddr* peer = peer_of(connection);
    request.own_address = own_address(descriptor_of(connection));
    request.from_this_host = is_loopback(peer) || (!request.own_address.empty() &&
                                                   request.own_address == address_text(peer));
    const int parameters =
        MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &keep_pair, &request.query);
    const int headers =
        MHD_get_connection_values(connection, MHD_HEADER_KIND, &keep_pair, &request.headers);
    request.cut = std::cmp_not_equal(parameters, request.query.size()) ||
                  std::cmp_not_equal(headers, request.headers.size());
    return send(connection, answer(request));
  }

  // Whether the answer may go out before the body: it is long, or of unknown length.
  bool body_is_long(MHD_Connection* connection) const {
    constexpr unsigned long long kSmall = 8192;
    const char* length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char* coding =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    if (coding != nullptr) return true;
    return length != nullptr && parse_number(length).value_or(kSmall + 1) > kSmall;
  }

  static MhdResult on_request(void* self, MHD_Connection* connection, const char* url,
                              const char* method, const char*, const char* data, std::size_t* size,
                              void** state) noexcept {
    try {
      const Parts& parts = *static_cast<Parts*>(self);
      auto* exchange = static_cast<Exchange*>(*state);
      if (exchange == nullptr) {
        *state = new Exchange;  // freed in on_completed
        if (!parts.body_is_long(connection)) return MHD_YES;
        if (parts.limits.body > 0) return send(connection, {413, "", ""});
        return parts.handle(connection, url, method, "");
      }
      if (*size > 0) {
        exchange->too_long |= exchange->body.size() + *size > parts.limits.body;
        if (!exchange->too_long) exchange->body.append(data, *size);
        *size = 0;
        return MHD_YES;
      }
      if (exchange->too_long && parts.limits.body > 0) return send(connection, {413, "", ""});
      return parts.handle(connection, url, method, exchange->body);
    } catch (...) {
      return MHD_NO;
    }
  }

  static void on_completed(void* self, MHD_Connection* connection, void** state,
                           MHD_RequestTerminationCode code) noexcept {
    delete static_cast<Exchange*>(*state);
    *state = nullptr;
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
      static_cast<Parts*>(self)->connections.completed(descriptor_of(connection));
    }
  }

  static void on_connection(void* self, MHD_Connection* connection, void**,
                            MHD_ConnectionNotificationCode code) noexcept {
    Connections& connections = static_cast<Parts*>(self)->connections;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      connections.opened(descriptor_of(connection), peer_address(peer_of(connection)));
    } else {
      connections.closed(descriptor_of(connection));
    }
  }
};

HttpServer::HttpServer(Fd listening, HttpHandler handler, Clock& clock, HttpLimits limits)
    : parts_(std::make_unique<Parts>(std::move(handler), clock, limits)) {
  parts_->port = bound_port(listening.get());
  const auto idle =
      static_cast<unsigned>(std::chrono::duration_cast<std::chrono::seconds>(limits.idle).count());
  parts_->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, &Parts::on_request,
      parts_.get(), MHD_OPTION_EXTERNAL_LOGGER, &log_line, nullptr, MHD_OPTION_LISTEN_SOCKET,
      listening.get(), MHD_OPTION_CONNECTION_LIMIT, limits.connections,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits.connection_memory, MHD_OPTION_CONNECTION_TIMEOUT,
      idle, MHD_OPTION_NOTIFY_COMPLETED, &Parts::on_completed, parts_.get(),
      MHD_OPTION_NOTIFY_CONNECTION, &Parts::on_connection, parts_.get(), MHD_OPTION_END);
  if (parts_->daemon == nullptr) {
    throw_errno(Fault::Start, "MHD_start_daemon", "port " + std::to_string(parts_->port));
  }
  listening.release();  // the library closes it
}

HttpServer::~HttpServer() { MHD_stop_daemon(parts_->daemon); }

std::uint16_t HttpServer::port() const { return parts_->port; }

void HttpServer::sweep() {
  parts_->connections.sweep();
  const std::size_t open = parts_->connections.size();
  parts_->most = std::max(parts_->most, open);
  if (parts_->most < 64 || open > parts_->most / 4) return;
  // What a crowd used goes back to the system, which the allocator would not do by itself.
  ::malloc_trim(0);
  parts_->most = open;
}

}  // namespace xs

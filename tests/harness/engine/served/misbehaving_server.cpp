#include "tests/harness/engine/served/misbehaving_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "harness/base/descriptor.h"

namespace niah::served {
namespace {

constexpr std::size_t kMostHead = std::size_t{1} << 20;
constexpr std::size_t kMostBody = std::size_t{256} << 20;

/// One client's connection. Shutting down the server ends every wait.
class Socket {
 public:
  Socket(int fd, int server_ends) : fd_(fd), server_ends_(server_ends) {}

  /// Waits for that time, or without limit if negative. Returns false if the client disconnects or
  /// the server shuts down.
  bool wait(int milliseconds) {
    pollfd polled[] = {{fd_, POLLRDHUP, 0}, {server_ends_, POLLIN, 0}};
    return ::poll(polled, 2, milliseconds) == 0;
  }

  /// Appends received bytes. Returns false if nothing more will come.
  bool read_some(std::string& into) {
    pollfd polled[] = {{fd_, POLLIN, 0}, {server_ends_, POLLIN, 0}};
    ::poll(polled, 2, -1);
    if (polled[1].revents != 0) return false;
    char buffer[16384];
    const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }

  /// Returns false if the client disconnected or the server shuts down.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      pollfd polled[] = {{fd_, POLLOUT, 0}, {server_ends_, POLLIN, 0}};
      ::poll(polled, 2, -1);
      if (polled[1].revents != 0) return false;
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Makes closing the socket send a reset instead of a normal end.
  void reset_when_closed() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  int fd_;
  int server_ends_;
};

bool is_connected(int fd) {
  pollfd polled{fd, POLLRDHUP, 0};
  return ::poll(&polled, 1, 0) == 0;
}

SeenRequest parse_head(std::string_view head) {
  SeenRequest request;
  const std::size_t line = head.find("\r\n");
  const std::string_view first = head.substr(0, line);
  const std::size_t space = first.find(' ');
  if (space == first.npos) return request;
  request.method = first.substr(0, space);
  request.path = first.substr(space + 1, first.rfind(' ') - space - 1);
  for (std::size_t at = line + 2; at < head.size();) {
    const std::size_t end = std::min(head.find("\r\n", at), head.size());
    const std::string_view header = head.substr(at, end - at);
    const std::size_t colon = std::min(header.find(':'), header.size() - 1);
    const std::size_t value = std::min(header.find_first_not_of(' ', colon + 1), header.size());
    request.headers.emplace_back(header.substr(0, colon), header.substr(value));
    at = end + 2;
  }
  return request;
}

/// Reads the next request; nullopt if there is none. `buffer` holds bytes received earlier.
std::optional<SeenRequest> read_request(Socket& socket, std::string& buffer) {
  std::size_t head = 0;
  while ((head = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (buffer.size() > kMostHead || !socket.read_some(buffer)) return std::nullopt;
    if (buffer[0] < 'A' || buffer[0] > 'Z') return SeenRequest{.body = std::move(buffer)};
  }
  SeenRequest request = parse_head(std::string_view(buffer).substr(0, head));
  const std::string length = request.header("Content-Length");
  const std::size_t size = length.empty() ? 0 : std::stoul(length);
  if (size > kMostBody) return std::nullopt;
  while (buffer.size() < head + 4 + size)
    if (!socket.read_some(buffer)) return std::nullopt;
  request.body = buffer.substr(head + 4, size);
  buffer.erase(0, head + 4 + size);
  request.json = nlohmann::json::parse(request.body, nullptr, false);
  if (request.json.is_discarded()) request.json = nullptr;
  return request;
}

std::string head_of(const Reply& reply) {
  std::string head = fmt::format("HTTP/1.1 {} Said\r\n", reply.status);
  for (const auto& [name, value] : reply.headers) head += fmt::format("{}: {}\r\n", name, value);
  std::size_t length = 0;
  for (const Piece& piece : reply.pieces) length += piece.bytes.size();
  if (reply.framing == Framing::kLength)
    head += fmt::format("Content-Length: {}\r\n", reply.claimed_length.value_or(length));
  if (reply.framing == Framing::kChunked) head += "Transfer-Encoding: chunked\r\n";
  return head + "\r\n";
}

std::string framed(const Reply& reply, const std::string& bytes) {
  if (reply.framing != Framing::kChunked || bytes.empty()) return bytes;
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

bool wait_for(Socket& socket, std::chrono::milliseconds pause) {
  return pause.count() <= 0 || socket.wait(static_cast<int>(pause.count()));
}

/// Everything that is sent for a reply, in order, apart from the repetition of kEndless.
std::vector<Piece> on_the_wire(const Reply& reply) {
  std::vector<Piece> sent;
  sent.push_back({reply.framing == Framing::kRaw ? "" : head_of(reply), reply.delay});
  for (const Piece& piece : reply.pieces) sent.push_back({framed(reply, piece.bytes), piece.pause});
  const bool has_end = reply.ending == Ending::kWhole || reply.ending == Ending::kWholeThenClose;
  if (has_end && reply.framing == Framing::kChunked) sent.push_back({"0\r\n\r\n"});
  return sent;
}

enum class Next { kAnother, kClose, kClientLeft };

/// Carries out the reply's ending after the last piece.
Next end_of(const Reply& reply, Socket& socket) {
  switch (reply.ending) {
    case Ending::kWhole:
      return reply.framing == Framing::kLength || reply.framing == Framing::kChunked
                 ? Next::kAnother
                 : Next::kClose;
    case Ending::kWholeThenClose:
    case Ending::kClose:
      return Next::kClose;
    case Ending::kReset:
      socket.reset_when_closed();
      return Next::kClose;
    case Ending::kStall:
      socket.wait(-1);
      return Next::kClientLeft;
    case Ending::kEndless:
      break;
  }
  const std::string again = framed(reply, reply.pieces.back().bytes);
  while (wait_for(socket, reply.pieces.back().pause) && socket.send(again)) {
  }
  return Next::kClientLeft;
}

/// Sends the reply; calls `answered` just before the bytes that complete the answer.
Next send_reply(Socket& socket, const Reply& reply, const std::function<void()>& answered) {
  const bool goes_on = reply.ending == Ending::kStall || reply.ending == Ending::kEndless;
  std::vector<Piece> pieces = on_the_wire(reply);
  while (pieces.size() > 1 && pieces.back().bytes.empty()) pieces.pop_back();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (!wait_for(socket, pieces[i].pause)) return Next::kClientLeft;
    if (i + 1 == pieces.size() && !goes_on) answered();
    if (!socket.send(pieces[i].bytes)) return Next::kClientLeft;
  }
  return end_of(reply, socket);
}

/// Binds to a free port.
bool bind_to(int fd, Loopback loopback) {
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 ipv6{};
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_addr = in6addr_loopback;
  return loopback == Loopback::kIpv4
             ? ::bind(fd, reinterpret_cast<const sockaddr*>(&ipv4), sizeof ipv4) == 0
             : ::bind(fd, reinterpret_cast<const sockaddr*>(&ipv6), sizeof ipv6) == 0;
}

Descriptor listen_somewhere(Loopback loopback) {
  const int family = loopback == Loopback::kIpv4 ? AF_INET : AF_INET6;
  Descriptor listening(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!bind_to(listening.get(), loopback) || ::listen(listening.get(), 512) != 0)
    throw std::runtime_error("the tests' server cannot listen: " + system_reason());
  return listening;
}

}  // namespace

std::string SeenRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), name.size()) == 0)
      return value;
  return {};
}

struct MisbehavingServer::State {
  struct Connection {
    Descriptor fd;
    std::atomic<bool> is_over = false;
    std::jthread thread;
  };

  State(Behaviour what, Loopback where)
      : behaviour(std::move(what)), loopback(where), listening(listen_somewhere(where)) {}

  Behaviour behaviour;
  Loopback loopback;
  Descriptor listening;
  Descriptor ends{::eventfd(0, EFD_CLOEXEC)};  ///< readable once the server shuts down
  mutable std::mutex lock;
  std::vector<SeenRequest> requests;
  std::vector<int> answering;  ///< sockets whose clients are waiting for an answer
  std::size_t connections = 0, most_in_flight = 0, left_early = 0;
  std::list<Connection> open;  ///< used by the accepting thread only
  std::jthread accepting;

  void accept_all() {
    for (;;) {
      pollfd polled[] = {{listening.get(), POLLIN, 0}, {ends.get(), POLLIN, 0}};
      ::poll(polled, 2, -1);
      if (polled[1].revents != 0) return;
      const int fd = ::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const int yes = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      open.remove_if([](const Connection& connection) { return connection.is_over.load(); });
      Connection& connection = open.emplace_back();
      connection.fd = Descriptor(fd);
      connection.thread = std::jthread([this, &connection, number = count_connection()] {
        serve(connection.fd.get(), number);
        connection.fd.close();
        connection.is_over = true;
      });
    }
  }

  std::size_t count_connection() {
    const std::lock_guard guard(lock);
    return connections++;
  }

  void serve(int fd, std::size_t connection) {
    Socket socket(fd, ends.get());
    std::string buffer;
    for (Next next = Next::kAnother; next == Next::kAnother;) {
      std::optional<SeenRequest> request = read_request(socket, buffer);
      if (!request) return;
      request->connection = connection;
      begin(*request, fd);
      next = send_reply(socket, behaviour(*request), [&] { answered(fd); });
      answered(fd);
      const std::lock_guard guard(lock);
      if (next == Next::kClientLeft) ++left_early;
    }
  }

  void begin(SeenRequest& request, int fd) {
    const std::lock_guard guard(lock);
    request.number = requests.size();
    requests.push_back(request);
    answering.push_back(fd);
    // A client may have reconnected before its old connection's thread noticed that it left.
    const auto waiting = std::count_if(answering.begin(), answering.end(), is_connected);
    most_in_flight = std::max(most_in_flight, static_cast<std::size_t>(waiting));
  }

  void answered(int fd) {
    const std::lock_guard guard(lock);
    std::erase(answering, fd);
  }
};

MisbehavingServer::MisbehavingServer(Behaviour behaviour, Loopback loopback)
    : state_(std::make_unique<State>(std::move(behaviour), loopback)) {
  state_->accepting = std::jthread([this] { state_->accept_all(); });
}

MisbehavingServer::~MisbehavingServer() {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(state_->ends.get(), &one, sizeof one));
  state_->accepting.join();
  state_->open.clear();
}

int MisbehavingServer::port() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(state_->listening.get(), reinterpret_cast<sockaddr*>(&address), &size);
  // The port stands at the same place in both kinds of address.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

std::string MisbehavingServer::origin() const {
  const bool is_ipv4 = state_->loopback == Loopback::kIpv4;
  return fmt::format("http://{}:{}", is_ipv4 ? "127.0.0.1" : "[::1]", port());
}

std::vector<SeenRequest> MisbehavingServer::requests() const {
  const std::lock_guard guard(state_->lock);
  return state_->requests;
}

std::size_t MisbehavingServer::requests_to(std::string_view path) const {
  const std::lock_guard guard(state_->lock);
  return static_cast<std::size_t>(
      std::count_if(state_->requests.begin(), state_->requests.end(),
                    [&](const SeenRequest& request) { return request.path == path; }));
}

std::size_t MisbehavingServer::connections() const {
  const std::lock_guard guard(state_->lock);
  return state_->connections;
}

std::size_t MisbehavingServer::most_in_flight() const {
  const std::lock_guard guard(state_->lock);
  return state_->most_in_flight;
}

std::size_t MisbehavingServer::left_early() const {
  const std::lock_guard guard(state_->lock);
  return state_->left_early;
}

}  // namespace niah::served

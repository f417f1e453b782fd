// Replies of the test server, and how they go wrong.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace niah::served {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Bytes to send after a pause.
struct Piece {
  std::string bytes;
  std::chrono::milliseconds pause{0};
};

/// How the end of a body is marked.
enum class Framing {
  kLength,      ///< Content-Length
  kChunked,     ///< chunked transfer encoding, a chunk per piece
  kUntilClose,  ///< by closing the connection
  kRaw,         ///< only the pieces are sent: no status, no headers
};

/// What follows the last piece.
enum class Ending {
  kWhole,           ///< a proper end; the connection stays open
  kWholeThenClose,  ///< a proper end, then the connection is closed without notice
  kClose,           ///< no end; the connection is closed
  kReset,           ///< no end; the connection is reset
  kStall,           ///< nothing more is sent until the client disconnects
  kEndless,         ///< the last piece is repeated until the client disconnects
};

/// The server's reply to a request.
struct Reply {
  int status = 200;
  Headers headers{{"Content-Type", "application/json"}};
  std::vector<Piece> pieces{};
  Framing framing = Framing::kLength;
  Ending ending = Ending::kWhole;
  std::chrono::milliseconds delay{0};           ///< before the first byte
  std::optional<std::size_t> claimed_length{};  ///< sent instead of the real Content-Length
};

/// @name Replies of any server
/// @{
Reply json_reply(const nlohmann::json& body, int status = 200);
Reply text_reply(std::string body, int status = 200, std::string type = "text/plain");
/// A stream of events: chunked, text/event-stream.
Reply event_reply(std::vector<std::string> events,
                  std::chrono::milliseconds pause_between = std::chrono::milliseconds(0));
Reply redirect(const std::string& location, int status = 307);
Reply closes_at_once();  ///< without sending a byte
Reply stalls_at_once();  ///< sends nothing and keeps the connection
Reply garbage(std::string bytes = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");  ///< not HTTP, then closes
/// @}

/// @name Variations of a reply
/// @{
/// The reply with its body in pieces of `bytes` bytes, which may split events and characters.
Reply in_pieces_of(std::size_t bytes, Reply reply);
/// The reply cut after `bytes` bytes of body, followed by `ending` (kClose, kReset or kStall).
Reply cut_after(std::size_t bytes, Reply reply, Ending ending = Ending::kClose);
/// The reply gzip-compressed, in one piece.
Reply gzipped(Reply reply);
Reply with_header(std::string name, std::string value, Reply reply);
/// @}

/// The text compressed with gzip.
std::string gzip(std::string_view text);

}  // namespace niah::served

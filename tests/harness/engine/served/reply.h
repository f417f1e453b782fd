// What a server of the tests says, and how it goes wrong on the way.
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

/// Bytes, and the pause before they are sent.
struct Piece {
  std::string bytes;
  std::chrono::milliseconds pause{0};
};

/// How the end of a body is told.
enum class Framing {
  kLength,      ///< Content-Length
  kChunked,     ///< each piece is a chunk
  kUntilClose,  ///< by closing the connection
  kRaw,         ///< the pieces are all that is sent: no status, no headers
};

/// What follows the last piece.
enum class Ending {
  kWhole,           ///< the end, as the framing tells it; the connection is kept
  kWholeThenClose,  ///< ... and is closed, which nobody was told
  kClose,           ///< no end: the connection is closed
  kReset,           ///< ... and reset
  kStall,           ///< nothing more, until the client leaves
  kEndless,         ///< the last piece again and again, until the client leaves
};

/// What the server says to a request.
struct Reply {
  int status = 200;
  Headers headers{{"Content-Type", "application/json"}};
  std::vector<Piece> pieces{};
  Framing framing = Framing::kLength;
  Ending ending = Ending::kWhole;
  std::chrono::milliseconds delay{0};           ///< before the first byte
  std::optional<std::size_t> claimed_length{};  ///< in place of the real Content-Length
};

/// @name Replies of any server
/// @{
Reply json_reply(const nlohmann::json& body, int status = 200);
Reply text_reply(std::string body, int status = 200, std::string type = "text/plain");
/// A stream of events: chunked, text/event-stream.
Reply event_reply(std::vector<std::string> events,
                  std::chrono::milliseconds pause_between = std::chrono::milliseconds(0));
Reply redirect(const std::string& location, int status = 307);
Reply closes_at_once();  ///< not one byte
Reply stalls_at_once();  ///< not one byte, and the connection stays
Reply garbage(std::string bytes = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");  ///< no HTTP, then closes
/// @}

/// @name What can be made of a reply
/// @{
/// Its body in pieces of so many bytes, whatever they cut apart.
Reply in_pieces_of(std::size_t bytes, Reply reply);
/// Its first so many bytes of body; then `ending` (kClose, kReset, kStall).
Reply cut_after(std::size_t bytes, Reply reply, Ending ending = Ending::kClose);
/// Compressed, in one piece.
Reply gzipped(Reply reply);
Reply with_header(std::string name, std::string value, Reply reply);
/// @}

/// The text in gzip's format.
std::string gzip(std::string_view text);

}  // namespace niah::served

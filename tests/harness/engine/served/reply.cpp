#include "tests/harness/engine/served/reply.h"

#include <zlib.h>

#include <algorithm>
#include <stdexcept>

namespace niah::served {

Reply text_reply(std::string body, int status, std::string type) {
  return {.status = status,
          .headers = {{"Content-Type", std::move(type)}},
          .pieces = {{std::move(body)}}};
}

Reply json_reply(const nlohmann::json& body, int status) {
  return text_reply(body.dump(), status, "application/json");
}

Reply event_reply(std::vector<std::string> events, std::chrono::milliseconds pause_between) {
  Reply reply{.headers = {{"Content-Type", "text/event-stream; charset=utf-8"}},
              .framing = Framing::kChunked};
  for (std::string& event : events) reply.pieces.push_back({std::move(event), pause_between});
  return reply;
}

Reply redirect(const std::string& location, int status) {
  return with_header("Location", location, text_reply("elsewhere", status));
}

Reply closes_at_once() { return {.framing = Framing::kRaw, .ending = Ending::kClose}; }

Reply stalls_at_once() { return {.framing = Framing::kRaw, .ending = Ending::kStall}; }

Reply garbage(std::string bytes) {
  return {.pieces = {{std::move(bytes)}}, .framing = Framing::kRaw, .ending = Ending::kClose};
}

Reply in_pieces_of(std::size_t bytes, Reply reply) {
  std::string whole;
  for (const Piece& piece : reply.pieces) whole += piece.bytes;
  reply.pieces.clear();
  for (std::size_t at = 0; at < whole.size(); at += bytes)
    reply.pieces.push_back({whole.substr(at, bytes)});
  return reply;
}

Reply cut_after(std::size_t bytes, Reply reply, Ending ending) {
  std::size_t whole = 0, kept = 0;
  for (const Piece& piece : reply.pieces) whole += piece.bytes.size();
  if (!reply.claimed_length) reply.claimed_length = whole;
  for (Piece& piece : reply.pieces) {
    piece.bytes.resize(std::min(piece.bytes.size(), bytes - kept));
    kept += piece.bytes.size();
  }
  std::erase_if(reply.pieces, [](const Piece& piece) { return piece.bytes.empty(); });
  reply.ending = ending;
  return reply;
}

Reply gzipped(Reply reply) {
  std::string whole;
  for (const Piece& piece : reply.pieces) whole += piece.bytes;
  reply.pieces = {{gzip(whole)}};
  return with_header("Content-Encoding", "gzip", std::move(reply));
}

Reply with_header(std::string name, std::string value, Reply reply) {
  reply.headers.emplace_back(std::move(name), std::move(value));
  return reply;
}

std::string gzip(std::string_view text) {
  constexpr int kGzip = 15 + 16;
  z_stream stream{};
  if (::deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib cannot begin");
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int code = ::deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  if (code != Z_STREAM_END) throw std::runtime_error("zlib cannot end");
  return out;
}

}  // namespace niah::served

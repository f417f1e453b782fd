// Server-sent events, as they come.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace niah::served {

/// Assembles the bytes of a stream into events: lines that end in LF, CR LF or CR, an event's
/// `data` fields joined by LF, an empty line after each event. Comments and all other fields are
/// ignored. The bytes may be cut anywhere. What it holds is bounded by the size of one event.
class EventStream {
 public:
  /// Takes the data of one event; false: no more are wanted.
  using Take = std::function<bool(std::string_view data)>;

  /// Whether more bytes are of use.
  enum class State {
    kOpen,
    kEnough,    ///< `take` wants no more
    kTooLarge,  ///< an event is too long; it and all later ones are dropped
  };

  /// `most_bytes`: of one event, and of one line.
  explicit EventStream(std::size_t most_bytes = std::size_t{1} << 20) : most_bytes_(most_bytes) {}

  /// Takes the next bytes, and gives every event that they complete. Once the stream is no longer
  /// open, nothing is read.
  State feed(std::string_view bytes, const Take& take);
  /// To be called at the end of the stream. Gives the last event if no empty line came after it,
  /// which some servers leave out.
  State finish(const Take& take);

 private:
  void read_line(std::string_view line, const Take& take);
  void add_data(std::string_view value);
  void give(const Take& take);
  bool keep(std::string_view begin_of_line);

  std::size_t most_bytes_;
  State state_ = State::kOpen;
  std::string line_;  ///< the start of a line whose end has not arrived
  std::string data_;  ///< of an unfinished event, with an LF after each line
  bool is_at_start_ = true;
  bool is_after_cr_ = false;  ///< a following LF belongs to the same line end
};

}  // namespace niah::served

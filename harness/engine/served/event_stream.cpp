#include "harness/engine/served/event_stream.h"

namespace niah::served {

EventStream::State EventStream::feed(std::string_view bytes, const Take& take) {
  while (state_ == State::kOpen && !bytes.empty()) {
    if (is_after_cr_ && bytes.front() == '\n') bytes.remove_prefix(1);
    is_after_cr_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    if (!keep(bytes.substr(0, end)) || end == std::string_view::npos) break;
    is_after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    read_line(line_, take);
    line_.clear();
  }
  return state_;
}

EventStream::State EventStream::finish(const Take& take) {
  if (state_ == State::kOpen && !line_.empty()) read_line(line_, take);
  line_.clear();
  if (state_ == State::kOpen) give(take);
  return state_;
}

/// Adds to the line; false where it becomes too long.
bool EventStream::keep(std::string_view begin_of_line) {
  if (line_.size() + begin_of_line.size() > most_bytes_) {
    state_ = State::kTooLarge;
    return false;
  }
  line_ += begin_of_line;
  return true;
}

void EventStream::read_line(std::string_view line, const Take& take) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (is_at_start_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  is_at_start_ = false;
  if (line.empty()) return give(take);
  const std::size_t colon = line.find(':');
  if (line.substr(0, colon) != "data") return;
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  add_data(value);
}

void EventStream::add_data(std::string_view value) {
  if (data_.size() + value.size() > most_bytes_) {
    state_ = State::kTooLarge;
    return;
  }
  data_ += value;
  data_ += '\n';
}

void EventStream::give(const Take& take) {
  if (data_.empty()) return;
  const std::string_view data = std::string_view(data_).substr(0, data_.size() - 1);
  if (!take(data)) state_ = State::kEnough;
  data_.clear();
}

}  // namespace niah::served

#include "harness/engine/served/event_stream.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace niah::served {
namespace {

using Events = std::vector<std::string>;

/// The events of a stream that arrives in pieces of `piece` bytes.
Events events_of(std::string_view bytes, std::size_t piece) {
  Events events;
  EventStream stream;
  const auto keep = [&](std::string_view data) {
    events.emplace_back(data);
    return true;
  };
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    EXPECT_EQ(stream.feed(bytes.substr(at, piece), keep), EventStream::State::kOpen);
  stream.finish(keep);
  return events;
}

TEST(EventStream, ReadsTheSameHoweverItIsCutAndItsLinesEnd) {
  const std::string lf =
      ": a comment\nevent: message\ndata: {\"a\":\ndata:1}\nid: 7\n\n\nretry: 3\n\ndata:  ä\u20AC "
      "\n\ndata\n\ndata: [DONE]";
  std::string crlf, cr;
  for (const char byte : lf) {
    crlf += byte == '\n' ? std::string("\r\n") : std::string(1, byte);
    cr += byte == '\n' ? '\r' : byte;
  }
  const Events expected = {"{\"a\":\n1}", " ä\u20AC ", "", "[DONE]"};
  for (const std::string& bytes : {lf, crlf, cr, "\xEF\xBB\xBF" + lf})
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece)
      ASSERT_EQ(events_of(bytes, piece), expected) << piece << " bytes at a time of " << bytes;
}

TEST(EventStream, FieldsThatOnlyBeginAsDataAreOthers) {
  EXPECT_EQ(events_of("dataset: 1\n data: 2\nDATA: 3\n\n", 100), Events());
}

TEST(EventStream, GivesNothingMoreWhenThereIsEnough) {
  EventStream stream;
  Events events;
  const auto one = [&](std::string_view data) {
    events.emplace_back(data);
    return false;
  };
  EXPECT_EQ(stream.feed("data: 1\n\ndata: 2\n\n", one), EventStream::State::kEnough);
  EXPECT_EQ(stream.feed("data: 3\n\n", one), EventStream::State::kEnough);
  EXPECT_EQ(stream.finish(one), EventStream::State::kEnough);
  EXPECT_EQ(events, Events{"1"});
}

TEST(EventStream, IsBoundedByTheSizeOfAnEvent) {
  const auto nothing = [](std::string_view) { return true; };
  EventStream one_line(100);
  EventStream::State state = EventStream::State::kOpen;
  std::size_t fed = 0;
  for (; state == EventStream::State::kOpen && fed < 1000; fed += 10)
    state = one_line.feed("data: xxxx", nothing);
  EXPECT_EQ(state, EventStream::State::kTooLarge);
  EXPECT_LE(fed, 110U);
  EventStream many_lines(100);
  for (fed = 0, state = EventStream::State::kOpen; state == EventStream::State::kOpen && fed < 100;
       ++fed)
    state = many_lines.feed("data: xxxxxxxxxx\n", nothing);
  EXPECT_EQ(state, EventStream::State::kTooLarge);
  EXPECT_LE(fed, 11U);
  EventStream empty_lines(100);
  for (fed = 0, state = EventStream::State::kOpen; state == EventStream::State::kOpen && fed < 1000;
       ++fed)
    state = empty_lines.feed("data:\n", nothing);
  EXPECT_EQ(state, EventStream::State::kTooLarge);
  EXPECT_EQ(many_lines.finish(nothing), EventStream::State::kTooLarge);
}

TEST(EventStream, CommentsWithoutEndTakeNoMemory) {
  EventStream stream(100);
  const auto nothing = [](std::string_view) { return true; };
  for (int i = 0; i < 10'000; ++i)
    ASSERT_EQ(stream.feed(": still here\n\n", nothing), EventStream::State::kOpen);
}

}  // namespace
}  // namespace niah::served

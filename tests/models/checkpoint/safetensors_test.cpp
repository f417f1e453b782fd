#include "models/checkpoint/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "harness/base/error.h"
#include "tests/models/support.h"
#include "tests/refusal.h"

namespace niah::models {
namespace {

using testing::HasSubstr;

/// A file with this header and `data` bytes of data.
std::string file_with(const std::string& header, std::size_t data) {
  std::string file(8, '\0');
  const std::uint64_t size = header.size();
  std::memcpy(file.data(), &size, 8);
  return file + header + std::string(data, 'x');
}

std::string refusal(const std::string& file) {
  return refusal_of([&] { parse_safetensors(file, "weights.safetensors"); });
}

const std::string kGood =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},)"
    R"("a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})";

TEST(Safetensors, ReadsTensorsInFileOrder) {
  const SafetensorsHeader header = parse_safetensors(file_with(kGood, 12), "f");
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(header.tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(header.tensors[1].numel(), 2);
  EXPECT_EQ(header.metadata.at("format"), "pt");
}

TEST(Safetensors, RefusesWhatDoesNotHoldTogether) {
  const auto one = [](const std::string& entry, std::size_t data) {
    return refusal(file_with("{\"a\":" + entry + "}", data));
  };
  EXPECT_THAT(refusal("1234567"), HasSubstr("7 bytes are too few"));
  EXPECT_THAT(refusal(file_with(kGood, 11)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(file_with(kGood, 13)), HasSubstr("belong to no tensor"));
  EXPECT_THAT(refusal(file_with(kGood, 12).substr(0, 40)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(file_with("[1,2]", 0)), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(file_with("{", 0)), HasSubstr("not what safetensors writes"));
  EXPECT_THAT(one(R"({"dtype":"F9","shape":[1],"data_offsets":[0,4]})", 4), HasSubstr("F9"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4),
              HasSubstr("impossible shape"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]})", 4),
              HasSubstr("impossible shape"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]})", 4),
              HasSubstr("impossible shape"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", 8),
              HasSubstr("needs 12 bytes"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4),
              HasSubstr("data_offsets"));
  EXPECT_THAT(one(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4.5]})", 4),
              HasSubstr("data_offsets"));
  EXPECT_THAT(one("7", 4), HasSubstr("not an object"));
  EXPECT_THAT(refusal(file_with(R"({"__metadata__":{"n":3}})", 0)),
              HasSubstr("other than strings"));
  const std::string huge = std::string("\0\0\0\0\0\0\0\x10", 8) + "{}";
  EXPECT_THAT(refusal(huge), HasSubstr("1152921504606846976"));
}

TEST(Safetensors, RefusesOverlapsHolesAndTwins) {
  const auto two = [](int a0, int a1, int b0, int b1, int data) {
    return refusal(file_with("{\"a\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(a1 - a0) +
                                 "],\"data_offsets\":[" + std::to_string(a0) + "," +
                                 std::to_string(a1) + "]},\"b\":{\"dtype\":\"U8\",\"shape\":[" +
                                 std::to_string(b1 - b0) + "],\"data_offsets\":[" +
                                 std::to_string(b0) + "," + std::to_string(b1) + "]}}",
                             static_cast<std::size_t>(data)));
  };
  EXPECT_EQ(two(0, 4, 4, 8, 8), "accepted");
  EXPECT_THAT(two(0, 5, 4, 8, 8), HasSubstr("overlaps"));
  EXPECT_THAT(two(0, 4, 5, 8, 8), HasSubstr("belong to no tensor"));
  EXPECT_THAT(refusal(file_with(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                                R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                                1)),
              HasSubstr("twice"));
}

// A parser that compared each tensor with all others took 8 s for 40,000.
TEST(Safetensors, ManyTensorsTakeTimeInProportion) {
  constexpr int kTensors = 200'000;
  std::string header = "{";
  for (int i = 0; i < kTensors; ++i)
    header += (i > 0 ? ",\"t" : "\"t") + std::to_string(i) +
              R"(":{"dtype":"U8","shape":[1],"data_offsets":[)" + std::to_string(i) + "," +
              std::to_string(i + 1) + "]}";
  const std::string file = file_with(header + "}", kTensors);
  EXPECT_EQ(parse_safetensors(file, "many").tensors.size(), static_cast<std::size_t>(kTensors));
}

TEST(Safetensors, EmptyTensorsMayNotHideImpossibleShapes) {
  EXPECT_THAT(
      refusal(file_with(
          R"({"a":{"dtype":"U8","shape":[0,1152921504606846976,16],"data_offsets":[0,0]}})", 0)),
      HasSubstr("impossible shape"));
  EXPECT_EQ(refusal(file_with(R"({"a":{"dtype":"U8","shape":[0,16],"data_offsets":[0,0]}})", 0)),
            "accepted");
}

TEST(Safetensors, GitLfsPointersAreCalledByTheirName) {
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12\n"),
              HasSubstr("Git LFS pointer"));
}

TEST(Safetensors, WritesWhatItReads) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::span<const std::byte> bytes = std::as_bytes(std::span(values));
  write_safetensors(
      folder.path() / "w.safetensors",
      {{"x", DType::kF32, {2, 2}, bytes.first(16)}, {"y", DType::kF32, {2}, bytes.last(8)}},
      {{"made", "here"}});
  const SafetensorsFile file(folder.path() / "w.safetensors");
  ASSERT_NE(file.find("y"), nullptr);
  EXPECT_EQ(file.find("z"), nullptr);
  const auto read = file.bytes(*file.find("y"));
  EXPECT_EQ(std::memcmp(read.data(), values.data() + 4, 8), 0);
  EXPECT_EQ(file.metadata().at("made"), "here");
}

TEST(Safetensors, DamagedFilesAreRefusedNotRead) {
  const std::string good = file_with(kGood, 12);
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits)
      bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bad.resize(random() % bad.size());
    try {
      const SafetensorsHeader header = parse_safetensors(bad, "fuzzed");
      for (const TensorInfo& tensor : header.tensors)
        ASSERT_LE(header.data_begin + tensor.end, bad.size());
    } catch (const DataError&) {
      ++refused;
    }
  }
  // The others are unchanged, or have another tensor name.
  EXPECT_GT(refused, 1500);
}

}  // namespace
}  // namespace niah::models

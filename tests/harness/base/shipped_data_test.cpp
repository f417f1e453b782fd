#include "harness/base/shipped_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/paths.h"
#include "tests/refusal.h"
#include "tests/temporary_folder.h"

namespace niah {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(ShippedData, IsLookedForBesideTheProgramThenInWhatItWasBuiltFrom) {
  const DataPlaces places{{}, "/usr/bin", {"/src", "/src/build/share/niah"}};
  EXPECT_THAT(
      shipped_candidates("kjv.txt", places),
      ElementsAre("/usr/share/niah/kjv.txt", "/src/kjv.txt", "/src/build/share/niah/kjv.txt"));
}

TEST(ShippedData, WhoNamesAFolderMeansNoOther) {
  const DataPlaces places{"/data", "/usr/bin", {"/src"}};
  EXPECT_THAT(places.folders(), ElementsAre("/data"));
}

TEST(ShippedData, TheFirstThatIsThereIsTaken) {
  const TemporaryFolder prefix;
  fs::create_directories(prefix.path() / "share/niah/models");
  const DataPlaces places{{}, prefix.path() / "bin", {NIAH_SOURCE_DIR}};
  EXPECT_EQ(find_shipped("models", places), prefix.path() / "share/niah/models");
  EXPECT_EQ(find_shipped("configs", places), fs::path(NIAH_SOURCE_DIR) / "configs");
  EXPECT_EQ(find_shipped("no-such-file", places), std::nullopt);
}

TEST(ShippedData, WhatIsMissingIsNamedWithEveryPlaceAndWhatToDo) {
  const auto refusal = [](const DataPlaces& places) {
    return refusal_of([&] { require_shipped("models/zoo", "reproducing", places); });
  };
  EXPECT_THAT(refusal({{}, "/none/bin", {"/nowhere"}}),
              AllOf(HasSubstr("reproducing: models/zoo"), HasSubstr("NIAH_DATA_DIR can name"),
                    HasSubstr("/none/share/niah/models/zoo, /nowhere/models/zoo")));
  EXPECT_THAT(
      refusal({"/named", "/none/bin", {"/nowhere"}}),
      AllOf(HasSubstr("/named/models/zoo"), HasSubstr("unset it"), Not(HasSubstr("/nowhere"))));
}

TEST(ShippedData, ThisProcessFindsTheSourceTreeUnlessTheEnvironmentNamesAFolder) {
  unsetenv("NIAH_DATA_DIR");
  EXPECT_EQ(find_shipped("models/zoo"), fs::path(NIAH_SOURCE_DIR) / "models/zoo");
  const TemporaryFolder named;
  setenv("NIAH_DATA_DIR", named.path().c_str(), 1);
  EXPECT_EQ(find_shipped("models/zoo"), std::nullopt);
  // As an unset variable leaves it.
  setenv("NIAH_DATA_DIR", "", 1);
  EXPECT_NE(find_shipped("models/zoo"), std::nullopt);
  unsetenv("NIAH_DATA_DIR");
}

}  // namespace
}  // namespace niah

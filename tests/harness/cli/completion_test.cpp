// What scripts of completion say. That bash takes them is tested with the program itself, by
// tests/cli/completion.test.
#include "harness/cli/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/harness/cli/tiny_program.h"

namespace niah {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Completion, OfBashOffersPathsAndChoicesAfterTheirOptions) {
  const std::string script = bash_completion(tiny_program());
  EXPECT_THAT(script, AllOf(HasSubstr("'') words='draw look' options='-h --help --version' ;;"),
                            HasSubstr("--out) words='' paths=files ;;"),
                            HasSubstr("--type) words='fp32 bf16' paths= ;;"),
                            HasSubstr("--haystack) words='kjv prose' paths=files ;;"),
                            HasSubstr("--set) words='' paths= ;;"), Not(HasSubstr("--quiet)")),
                            Not(HasSubstr("secret"))));
  EXPECT_THAT(script, HasSubstr("*) options='-h --help --out --type --haystack --count --set "
                                "--quiet' words='' paths=folders ;;"));
}

TEST(Completion, OfZshEscapesWhatItsSpecificationsAreMadeOf) {
  const std::string script = zsh_completion(tiny_program());
  EXPECT_THAT(script, AllOf(HasSubstr("#compdef niah\n"),
                            HasSubstr(R"('draw:Draw it\: '\''all'\'', or \[some\]. Exit 1\: not)"),
                            HasSubstr("'--out=[Where to]:FILE:_files'"),
                            HasSubstr("'--type=[How]:{fp32|bf16}:(fp32 bf16)'"),
                            HasSubstr("{compadd kjv prose; _files}"),
                            HasSubstr("'*--set=[Change a key]:KEY=VALUE:'"),
                            HasSubstr("'--quiet[Say nothing]'"), HasSubstr("'*:runs:_files -/'"),
                            Not(HasSubstr("secret"))));
}

TEST(Completion, OfFishOffersPathsAndChoices) {
  const std::string script = fish_completion(tiny_program());
  EXPECT_THAT(
      script,
      AllOf(HasSubstr(R"(-a draw -d 'Draw it: \'all\', or [some]. Exit 1: not drawn')"),
            HasSubstr("'__fish_seen_subcommand_from draw' -l out -r -F -d 'Where to'"),
            HasSubstr("-l type -x -a 'fp32 bf16' -d 'How'"),
            HasSubstr("-l haystack -r -F -a 'kjv prose'"), HasSubstr("-l set -x -d"),
            HasSubstr("-l quiet -d"),
            HasSubstr("'__fish_seen_subcommand_from draw' -a '(__fish_complete_directories)'\n"),
            Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace niah

// What an alarm is acted on with: which checkpoints were compared, which samples were lost, and how
// to look at them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "reports/gate/gate.h"
#include "reports/gate/variant_pairs.h"

namespace niah::reports {

/// The most lost, and gained, samples of a cell that are shown with their answers.
inline constexpr std::size_t kMostShown = 3;

/// The most of them that have answers at all, for the page, which lists them.
inline constexpr std::size_t kMostListed = 100;

/// Fills in which samples the run lost and gained against the baseline.
void find_turned(const Cell& baseline, const Cell& current, GateCell& cell);

/// Fills in what is known of the two runs and their compared variants.
void describe_sides(const VariantPairs& variants, const RunInfo& baseline, const RunInfo& current,
                    Verdict& verdict);

/// Fills in what only journals know: the answers to the samples that are listed, and the time that
/// the run took for each cell. A journal that is not there is left out. Throws DataError for one
/// that cannot be read.
void add_evidence(const std::filesystem::path& baseline_journal,
                  const std::filesystem::path& current_journal, Verdict& verdict);

/// "nights/3, ended 2026-11-28T02:00:00Z, fp32 on cpu: zoo base (Base, checkpoints/v2, weights
/// b0b5, fingerprint f03d)".
std::string side_words(const GateSide& side);

/// The commands that show a sample of the run and ask it again; none where the run's place is not
/// known. `id` is that of sample_id().
std::vector<std::string> sample_commands(const Verdict& verdict, const std::string& id);

/// A lost cell's samples: how many were lost and gained, and of the first of them the answers and
/// the commands that show and ask them again. One line each; empty for a cell without any.
std::vector<std::string> sample_lines(const Verdict& verdict, const GateCell& cell);

}  // namespace niah::reports

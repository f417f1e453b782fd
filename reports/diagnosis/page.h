// The HTML page and the tables of `niah diagnose`.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "reports/diagnosis/diagnosis.h"

namespace niah::reports {

/// The page, with links to `files` in the same folder.
std::string diagnosis_page(const Diagnosis& diagnosis, const std::vector<std::string>& files);

/// Writes diagnose.html and its tables (CSV) into the folder `out`. Throws DataError if it cannot.
void write_diagnosis(const Diagnosis& diagnosis, const std::filesystem::path& out);

/// Whether a file's content is a diagnosis page, of this version or an earlier one.
bool is_diagnosis_page(std::string_view content);

/// The page's name, for reports that link to it.
inline constexpr const char* kDiagnosisPage = "diagnose.html";

}  // namespace niah::reports

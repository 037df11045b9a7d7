// cedar-corpus DIR: runs every case of a folder in the corpus's format, also in folders below it.
// The last line is "N agreed, M disagreed", after the first ten disagreements; exit 1 if there are
// any, 2 if there is no case.

#include <algorithm>
#include <iostream>

#include "case.h"

int main(int count, char** arguments) {
  namespace fs = std::filesystem;
  constexpr std::size_t shown_max = 10;
  if (count != 2 || !fs::is_directory(arguments[1])) {
    std::cerr << "usage: cedar-corpus DIR\n";
    return 2;
  }
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(arguments[1])) {
    const std::string name = entry.path().filename().string();
    if (entry.path().extension() == ".json" && !name.ends_with("entities.json")) {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  sallyport::cedar_tools::Tally tally;
  for (const fs::path& file : files) sallyport::cedar_tools::run_case(file, tally);
  for (std::size_t i = 0; i < std::min(shown_max, tally.disagreements.size()); ++i) {
    std::cout << tally.disagreements[i] << "\n";
  }
  if (!tally.newly_accepted.empty()) {
    std::cout << tally.newly_accepted.size()
              << " sets are accepted here and by the reference since 4.13, but were recorded as "
                 "not valid:";
    for (const std::string& name : tally.newly_accepted) std::cout << " " << name;
    std::cout << "\n";
  }
  std::cout << tally.agreed << " agreed, " << tally.disagreements.size() << " disagreed\n";
  if (files.empty()) return 2;
  return tally.disagreements.empty() ? 0 : 1;
}

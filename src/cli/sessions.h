#pragma once
// `sallyport sessions list|show|replay`: who did what, from the ledger's files.

namespace CLI {
class App;
}

namespace sallyport::cli {

void add_sessions(CLI::App& app);

}  // namespace sallyport::cli

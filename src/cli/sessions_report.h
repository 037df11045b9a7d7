#pragma once
// `sallyport sessions report`: who used what through which connection, added up from the ledger.

namespace CLI {
class App;
}

namespace sallyport::cli {

void add_sessions_report(CLI::App& sessions);

}  // namespace sallyport::cli

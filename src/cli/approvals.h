#pragma once
// `sallyport approvals list|show|approve|deny|withdraw|watch`: what waits for people, and one's word
// on it.

namespace CLI {
class App;
}

namespace sallyport::cli {

void add_approvals(CLI::App& app);

}  // namespace sallyport::cli

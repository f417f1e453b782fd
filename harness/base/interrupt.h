// Ctrl-C as a request: work stops at the next safe point, with everything finished saved.
#pragma once

namespace niah {

/// From now on the first SIGINT or SIGTERM sets a flag; a second one ends the process at once.
void install_interrupt_handler();

/// Whether the user asked to stop.
bool interrupt_requested();

/// Throws Interrupted when the user asked to stop. Call it between units of work.
void stop_if_interrupted();

}  // namespace niah

// Ctrl-C as a request: work stops at the next safe point, with everything finished saved. And what
// else a process has to settle with the system before it begins.
#pragma once

namespace niah {

/// Settles what could surprise later; call it first thing in main().
/// - File descriptors 0 to 2 that the caller left closed lead nowhere from now on: else the first
///   file opened would take such a number, and progress text would land in it.
/// - A pipe without a reader and a file beyond the size limit are errors of the write, not signals.
/// - A mapped file that became shorter ends the process with exit code 3 and a line that says so.
void prepare_process();

/// From now on the first SIGINT, SIGTERM or SIGHUP sets a flag; a second one ends the process at
/// once. Signals that the caller had ignored (nohup) stay ignored.
void install_interrupt_handler();

/// Whether the user asked to stop.
bool interrupt_requested();

/// Throws Interrupted when the user asked to stop. Call it between units of work.
void stop_if_interrupted();

}  // namespace niah

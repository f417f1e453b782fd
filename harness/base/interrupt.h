// Ctrl-C as a request to stop at the next safe point, with all finished work saved; and the
// process-wide set-up at the start of main().
#pragma once

namespace niah {

/// Process-wide set-up; call it first in main().
/// - Opens file descriptors 0 to 2 on /dev/null where the caller left them closed: otherwise the
///   first opened file would get such a number, and progress text would land in it.
/// - Turns writing to a pipe without a reader, or beyond the file size limit, into an error instead
///   of a signal.
/// - When a mapped file is truncated, the process ends with exit code 3 and a message.
void prepare_process();

/// From now on the first SIGINT, SIGTERM or SIGHUP sets a flag; a second one ends the process at
/// once. Signals that the caller had ignored (nohup) stay ignored.
void install_interrupt_handler();

/// Whether the user asked to stop.
bool interrupt_requested();

/// Throws Interrupted when the user asked to stop. Call it between units of work.
void stop_if_interrupted();

}  // namespace niah

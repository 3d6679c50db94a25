// SPDX-License-Identifier: Apache-2.0

#pragma once

// A wall clock that a test can set for its whole process. Tests that link
// wall_clock read this clock instead of the system's. Waits until a point of
// the wall clock follow it as well (those of futex(2), which Abseil uses).
//
// The monotonic clock does not change.
#ifdef __cplusplus
extern "C" {
#endif

// Sets the clock forward or, with a negative number, back.
void MoveWallClock(long seconds);

#ifdef __cplusplus
}
#endif

// SPDX-License-Identifier: MIT
// A shared library for LD_PRELOAD that makes every sync of a program succeed and do nothing. With
// it power_cut.sh must find bad states; otherwise it proves nothing.
extern "C" {
int fsync(int) { return 0; }
int fdatasync(int) { return 0; }
int syncfs(int) { return 0; }
}

// SPDX-License-Identifier: MIT
// Seeded bugs: mistakes that the tests must catch. A build with -DXS_SEEDED_BUG=N makes mistake N,
// at the one place that asks for it; every other build makes none, at no cost. The list is here so
// that a number means one thing, and tests/crash/model_test.cc fails if one of them goes unnoticed.
#pragma once

namespace xs {

enum class Seeded : int {
  NoFileSync = 1,        // staged files are not fsynced
  NoVolumeSync,          // syncfs is left out, with many files or with symlinks
  NoRunDirSync,          // the directory of the staged files is not fsynced
  NoAreaSync,            // the staging area's own name is not fsynced
  SyncBeforeAttributes,  // staged files are fsynced, and only then get mode and owner
  RetryFailedSync,       // a failed fsync is tried again and believed
  JournalNotSynced,      // the journal's bytes are not fsynced
  JournalDirNotSynced,   // the journal's name is not fsynced
  JournalInPlace,        // the journal is written under its own name, without a temporary
  JournalLate,           // the journal is written after the first steps
  ChecksumIgnored,       // a journal is believed without its checksum
  TemporaryBelieved,     // the temporary of a journal is taken for a journal
  DropBeforeParentSync,  // the journal is dropped before the changed directories are fsynced
  NoParentSync,          // changed directories are not fsynced
  NewDirNotSynced,       // a new directory is not fsynced itself
  DropNotSynced,         // the end of the journal is not made durable
  CleanBeforeDrop,       // staged data is removed while the journal still needs it
  AcknowledgeEarly,      // the caller hears "committed" before the journal exists
  DeleteFirst,           // deletions come before what replaces them
  IndexFirst,            // index files come before what they name
  UnlinkThenRename,      // the old file is removed before the new one is renamed onto its path
  RecoveryDropsStaging,  // recovery cleans up although there is a journal
  RecoveryKeepsNoOrder,  // recovery does not make the journal durable before it goes on
  WakeForgotten,         // recovery does not wake
  WakeBeforeApply,       // the wake comes before the tree is new
  KeepAfterRename,       // the old file is linked for rollback after it was replaced
  KeepNotSynced,         // the links for rollback are not fsynced
  NestNotSynced,         // a directory that comes with its contents is not fsynced before
  Last = NestNotSynced,
};

#ifndef XS_SEEDED_BUG
#define XS_SEEDED_BUG 0
#endif

constexpr bool seeded(Seeded bug) { return static_cast<int>(bug) == XS_SEEDED_BUG; }

}  // namespace xs

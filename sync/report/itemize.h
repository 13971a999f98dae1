// SPDX-License-Identifier: MIT
// Itemize: one change as one line, in rsync's words: the eleven characters of -i and the escapes of
// --out-format and --log-file-format. Pure. Called by the run log, the output of -i, -v and -n, and
// the events. A format is parsed when the options are read, so that one that we cannot serve fails
// (Unsupported, naming the escape) before anything is done.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/report/detail.h"

namespace xs {

struct ItemStyle {
  bool checksum = false;  // -c was asked for: new contents of a file count as 'c', as rsync has it
  bool times = true;      // -t: 't', otherwise 'T' for times that are not preserved
};

// ">f..t......", "cd+++++++++", "*deleting  ": always eleven characters.
std::string itemize(const Change& change, const ItemStyle& style = {});
// As the log shows it: escaped, a directory with its slash, the root as "./".
std::string shown_name(const Change& change);
// " -> target" or " => first name", escaped; empty for other types.
std::string shown_link(const ChangeDetail& detail);

// What one run says in every line; for %h %a %f %t %p.
struct ItemContext {
  std::string host;     // the primary, as the operator calls it
  std::string address;  // its address, where it is known
  std::string time;     // "2026/11/20 17:09:41"
  int pid = 0;
};

class ItemFormat {
 public:
  static constexpr std::string_view kItemized = "%i %n%L";
  static constexpr std::string_view kPlain = "%n%L";  // -v

  // Escapes: %i %n %L %f %l %o %h %a %p %t %M %B %U %G %m %C %%. A width may stand before the
  // letter ("%10n", "%-10n" is left-bound), and before it up to three ' for rsync's forms of
  // numbers. Throws Unsupported for escapes of rsync that we cannot fill (%b %c %u %P), Usage for
  // others; both name it.
  explicit ItemFormat(std::string_view format, ItemStyle style = {});

  // Whether rsync tells this change in such a format: without %i, attributes alone of a file are
  // not told.
  bool shows(const Change& change) const;
  // The line, without its newline.
  std::string line(const ChangeDetail& detail, const ItemContext& context) const;

 private:
  struct Piece {
    std::string text;  // literal, when `escape` is 0
    char escape = 0;
    int width = 0;
    bool left = false;
    int human = 0;  // how many '
  };
  std::string value(const Piece& piece, const ChangeDetail& detail,
                    const ItemContext& context) const;

  std::vector<Piece> pieces_;
  ItemStyle style_;
  bool tells_all_ = false;        // %i
  bool tells_operation_ = false;  // %i or %o: deletions in this format, not as "deleting NAME"
};

}  // namespace xs

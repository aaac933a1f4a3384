# SPDX-License-Identifier: Apache-2.0
# cmake -DOUT=x.cc -DFILES=a;b -DHEADER=fleet/server/assets.h -DTYPE=Asset -DFUNCTION=web_assets -P EmbedFiles.cmake: the
# files as byte arrays behind oree::FUNCTION(), which the header declares: const std::vector<TYPE>&, of name and bytes.
set(text "// Made by cmake/EmbedFiles.cmake.\n#include \"${HEADER}\"\n\nnamespace oree {\nnamespace {\n\n")
set(table "")
set(n 0)
foreach(file IN LISTS FILES)
  file(READ ${file} hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR size "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  get_filename_component(name ${file} NAME)
  string(APPEND text "constexpr unsigned char kFile${n}[] = {${hex}0};\n")
  string(APPEND table "      {\"${name}\", {reinterpret_cast<const char*>(kFile${n}), ${size}}},\n")
  math(EXPR n "${n} + 1")
endforeach()
string(APPEND text "\n}  // namespace\n\nconst std::vector<${TYPE}>& ${FUNCTION}() {\n  static const std::vector<${TYPE}> files{\n${table}  };\n  return files;\n}\n\n}  // namespace oree\n")
file(WRITE ${OUT} "${text}")

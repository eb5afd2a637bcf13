# Writes OUTPUT, a C++ source with the content of files as string literals: FILES is name=path;name=path.
# cmake -DOUTPUT=resources.cpp "-DFILES=demo_sql=config/demo.sql" -P resources.cmake
set(source "#include \"resources.h\"\n\nnamespace athena::app {\n")
foreach(entry IN LISTS FILES)
  string(REGEX MATCH "^([a-z_]+)=(.+)$" matched "${entry}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" text)
  string(APPEND source "std::string_view ${name}() noexcept { return R\"athena_file(${text})athena_file\"; }\n")
endforeach()
string(APPEND source "}  // namespace athena::app\n")
file(WRITE "${OUTPUT}" "${source}")

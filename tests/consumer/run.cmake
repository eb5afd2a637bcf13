# Builds, installs and uses the driver, each step in an own folder below WORK.
set(prefix ${WORK}/prefix)
set(common -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O1 -DCMAKE_CXX_COMPILER=${CXX}
  -DCMAKE_C_COMPILER=${C} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})

function(step)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${ARGN}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE ${prefix} ${WORK}/toy)
step(${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/driver ${common} -DATHENA_ONLY=driver -DATHENA_TESTS=OFF)
step(${CMAKE_COMMAND} --build ${WORK}/driver)
step(${CMAKE_COMMAND} --install ${WORK}/driver --prefix ${prefix})
step(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/toy -B ${WORK}/toy ${common} -DCMAKE_PREFIX_PATH=${prefix})
step(${CMAKE_COMMAND} --build ${WORK}/toy)
step(${WORK}/toy/toy ${WORK}/toy/toy.db)
if(NOT output STREQUAL "2 Grace\n")
  message(FATAL_ERROR "the toy printed '${output}'")
endif()

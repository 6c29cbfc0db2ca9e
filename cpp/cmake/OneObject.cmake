# Makes a static library one object that shows the functions named in KEEP, a file with one name a
# line. Run after the library is made:
#
#     cmake -DARCHIVE=... -DLINKER=... -DOBJCOPY=... -DAR=... -DKEEP=... -P OneObject.cmake
get_filename_component(folder ${ARCHIVE} DIRECTORY)
set(object ${folder}/drsformer.o)

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Without groups: a linker drops those that it has seen in another object, and what is local to
# this one would refer to nothing.
run(${LINKER} -r --force-group-allocation --whole-archive ${ARCHIVE} -o ${object})
run(${OBJCOPY} --keep-global-symbols=${KEEP} ${object})
file(REMOVE ${ARCHIVE})
run(${AR} qcs ${ARCHIVE} ${object})
file(REMOVE ${object})

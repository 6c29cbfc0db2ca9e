# The contract's rules by example, the same file that Python's tests read.
drsformer_add_test(contract_cases
  SOURCES test_contract_cases.cpp
  ARGUMENTS ${PROJECT_SOURCE_DIR}/../tests/data/contract_cases.json
  LABELS unit)

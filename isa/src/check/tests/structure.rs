//! Descriptors as a sequence: their number and the one `end`.

use super::*;

#[test]
fn a_program_of_all_operations_is_legal() {
    all_operations().check_as_it_is().unwrap();
}

#[test]
fn a_program_has_one_end_at_its_end() {
    let expected = |index| Err(ProgramError { index, reason: ONE_END.into() });
    assert_eq!(Listing::default().check_as_it_is(), expected(0));
    assert_eq!(prepared().check_as_it_is(), expected(1));
    assert_eq!(prepared().then(End {}).wait(norm()).then(End {}).check_as_it_is(), expected(2));
    assert_eq!(prepared().then(End {}).then(End {}).check_as_it_is(), expected(2));
    let message = expected(7).unwrap_err().to_string();
    assert_eq!(message, "descriptor 7: a program has exactly one `end`, its last descriptor");
}

#[test]
fn bytes_decode_to_the_descriptors_they_encode() {
    let program = all_operations().0;
    let bytes: Vec<u8> = program.iter().flat_map(Descriptor::encode).collect();
    assert_eq!(decode(&bytes), Ok(program));
}

#[test]
fn a_program_is_whole_descriptors_and_not_too_many() {
    let end = [0; BYTES];
    assert_eq!(decode(&end.repeat(MAX_DESCRIPTORS)).unwrap().len(), MAX_DESCRIPTORS);
    let message = |bytes: &[u8]| decode(bytes).unwrap_err().to_string();
    let limits = "is not 1 to 4096 descriptors of 64";
    assert_eq!(message(&[]), format!("descriptor 0: a program of 0 bytes {limits}"));
    assert_eq!(message(&[0; 65]), format!("descriptor 1: a program of 65 bytes {limits}"));
    let too_long = end.repeat(MAX_DESCRIPTORS + 1);
    assert_eq!(message(&too_long), format!("descriptor 4097: a program of 262208 bytes {limits}"));
}

#[test]
fn a_descriptor_that_does_not_decode_is_named() {
    let mut bytes = [0; 3 * BYTES];
    bytes[2 * BYTES] = 7;
    assert_eq!(decode(&bytes).unwrap_err().to_string(), "descriptor 2: unknown opcode 7");
}

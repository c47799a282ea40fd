"""What several test suites share: real peers, the whole product as a process, waiting, hearing."""

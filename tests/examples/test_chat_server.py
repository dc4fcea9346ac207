"""examples/chat_server.py: several people, one of them asleep."""

import contextlib
import resource
import signal
import socket

import pytest
from patience import patient

PATIENCE = patient(30)


class Person:
    def __init__(self, address):
        self.socket = socket.create_connection(address, PATIENCE)
        self.file = self.socket.makefile("rb")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def hears(self):
        return self.file.readline().decode().rstrip("\n")

    def enter(self, name):
        assert self.hears() == "* your name?"
        self.say(name)
        return self

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def chat(run_example):
    """A function that starts a server, and returns it and one that makes people."""
    with contextlib.ExitStack() as stack:

        def start(idle):
            server = run_example("chat_server.py", "--port", "0", "--idle", idle)
            address = server.address()
            return server, lambda: stack.enter_context(contextlib.closing(Person(address)))

        yield start


def test_conversation(chat):
    server, person = chat(idle=300)
    ann = person().enter("Ann")
    server.expect("Ann came")
    bob = person().enter("Bob")
    assert ann.hears() == "* Bob came"
    # Parts of lines, and several lines at once.
    bob.socket.sendall(b"hel")
    bob.socket.sendall(b"lo\nhow are you?\n")
    assert ann.hears() == "Bob: hello"
    assert ann.hears() == "Bob: how are you?"
    ann.say("fine")
    assert bob.hears() == "Ann: fine"
    bob.close()
    assert ann.hears() == "* Bob left"
    server.process.send_signal(signal.SIGTERM)
    assert ann.hears() == "* the server ends"
    assert ann.hears() == ""
    server.ends()


def test_names_are_unique(chat):
    server, person = chat(idle=300)
    person().enter("Ann")
    server.expect("Ann came")
    other = person().enter("Ann")
    assert other.hears() == "* that name can't be had; another one?"
    other.say("Ann 2")
    server.expect("Ann 2 came")
    server.end(signal.SIGINT)


def test_who_sleeps_is_thrown_out(chat):
    server, person = chat(idle=2.0)
    ann = person().enter("Ann")
    server.expect("Ann came")
    bob = person().enter("Bob")
    assert ann.hears() == "* Bob came"
    # Each line puts the end off: Ann talks until Bob is out, and stays.
    bob.socket.settimeout(0.1)
    bob.file.close()
    while True:
        ann.say("are you awake?")
        with contextlib.suppress(TimeoutError):
            received = bob.socket.recv(65536)
            if b"* you said nothing for too long" in received or not received:
                break
    assert ann.hears() == "* Bob fell asleep"
    assert ann.hears() == "* you said nothing for too long"
    assert ann.hears() == ""
    server.end()


def test_endless_line(chat):
    server, person = chat(idle=300)
    ann = person().enter("Ann")
    server.expect("Ann came")
    ann.socket.sendall(b"x" * 5000)
    server.expect("Ann sent too much")
    with contextlib.suppress(ConnectionResetError):
        assert ann.hears() == ""
    server.end()


def test_out_of_descriptors(chat):
    server, person = chat(idle=300)
    ann = person().enter("Ann")
    server.expect("Ann came")
    used = 64
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, used))
    crowd = [person() for _ in range(used)]
    server.expect("can't accept: .*Too many open files")
    for someone in crowd[:-1]:
        someone.close()
    crowd[-1].enter("Zoe")
    assert ann.hears() == "* Zoe came"
    assert server.end().count("can't accept") < 20

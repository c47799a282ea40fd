# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The compiled twin of `message.py` and `parser.py` for requests of the usual shape.

It finds every header once, keeps where each begins and ends as C integers, and cuts text out when
somebody asks. What it is not sure about it leaves to the reference: `scan` and `split_response`
return None for it. So it has no error of its own to tell, and both give the same answers
(tests/sip/test_scanner.py). Built by setup/compile.py where a compiler is.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeLatin1
from libc.string cimport memchr, memcmp, memcpy, memset

from sipengine.sip.message import split_list, tag_of
from sipengine.sip.names import COMPACT_FORMS, SPELLINGS

cdef extern from *:
    """
    #include <string.h>
    #define one_byte(text) (PyUnicode_KIND(text) == PyUnicode_1BYTE_KIND)
    #define one_byte_data(text) ((char *)PyUnicode_1BYTE_DATA(text))
    """
    void *memmem(const void *, size_t, const void *, size_t) nogil
    bint one_byte(str text)
    char *one_byte_data(str text)
    Py_ssize_t PyUnicode_GET_LENGTH(str text)

cdef enum:
    MOST_HEADERS = 64    # more, and longer heads, go to the reference; phones send up to 40
    LONGEST_HEAD = 16000
    SLOTS = 512          # of the table of spellings, four times what is in it
    LONGEST_NAME = 24
    KINDS = 96
    NONE = 255
    OTHER = 0            # a header that names.py does not list


cdef struct Spelling:
    unsigned char length
    unsigned char kind
    char lower[LONGEST_NAME]


cdef struct Header:
    unsigned short start
    unsigned short colon
    unsigned short end
    unsigned short kind


cdef Spelling table[SLOTS]
cdef unsigned char is_token[256]
cdef unsigned char is_of_host[256]
cdef dict kinds = {}
cdef list known_names = [""]
cdef int single[7]
cdef int VIA, FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS, CONTENT_LENGTH
cdef int PROXY_AUTHORIZATION, TIMESTAMP, ROUTE, SESSION_ID
cdef tuple TRANSPORTS = (b"UDP ", b"TCP ", b"TLS ", b"WSS ", b"WS ")
cdef tuple FIELDS = ("username", "realm", "nonce", "uri", "response", "algorithm", "cnonce", "opaque",
                     "qop", "nc")
cdef tuple METHODS = ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY",
                      "PRACK", "UPDATE", "INFO", "REFER", "MESSAGE", "PUBLISH")


cdef inline unsigned int slot_of(const char *name, Py_ssize_t length) noexcept nogil:
    return (<unsigned int>length * 31 + (name[0] | 32) * 7 + (name[length - 1] | 32) * 13
            + (name[length >> 1] | 32) * 3) & (SLOTS - 1)


cdef int kind_of(const char *name, Py_ssize_t length) noexcept nogil:
    """The number of a header name in any of its spellings, OTHER if it is not listed."""
    cdef unsigned int at = slot_of(name, length)
    cdef Py_ssize_t i
    while table[at].length:
        if table[at].length == length:
            for i in range(length):
                if (name[i] | 32) != table[at].lower[i]:
                    break
            else:
                return table[at].kind
        at = (at + 1) & (SLOTS - 1)
    return OTHER


cdef void learn(str name, int kind):
    lower = name.lower().encode()
    cdef Py_ssize_t length = len(lower)
    cdef unsigned int at = slot_of(lower, length)
    while table[at].length:
        at = (at + 1) & (SLOTS - 1)
    table[at].length = <unsigned char>length
    table[at].kind = <unsigned char>kind
    memcpy(table[at].lower, <const char *>lower, length)


cdef void learn_all():
    global VIA, FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS, CONTENT_LENGTH
    global PROXY_AUTHORIZATION, TIMESTAMP, ROUTE, SESSION_ID
    for name in SPELLINGS:
        kinds[name] = len(known_names)
        known_names.append(name)
        learn(name, kinds[name])
    for letter, name in COMPACT_FORMS.items():
        if name not in kinds:
            kinds[name] = len(known_names)
            known_names.append(name)
        learn(letter, kinds[name])
    assert len(known_names) <= KINDS
    for char in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~":
        is_token[char] = 1
    for char in b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._":
        is_of_host[char] = 1
    VIA, FROM, TO, CALL_ID, CSEQ = (kinds[n] for n in ("Via", "From", "To", "Call-ID", "CSeq"))
    MAX_FORWARDS, CONTENT_LENGTH = kinds["Max-Forwards"], kinds["Content-Length"]
    PROXY_AUTHORIZATION, TIMESTAMP = kinds["Proxy-Authorization"], kinds["Timestamp"]
    ROUTE, SESSION_ID = kinds["Route"], kinds["Session-ID"]
    for at, kind in enumerate((FROM, TO, CALL_ID, CSEQ, MAX_FORWARDS, CONTENT_LENGTH)):
        single[at] = kind
    single[6] = kinds["Content-Type"]


learn_all()


cdef inline bint is_blank(unsigned char c) noexcept nogil:
    return c == 32 or c == 9


cdef inline bint is_odd(unsigned char c) noexcept nogil:
    """Whether `str.strip` might take this character away, though it is neither blank nor tab."""
    return c <= 32 or c >= 127


cdef inline str text_of(const char *start, Py_ssize_t length):
    return PyUnicode_DecodeLatin1(start, length, NULL)


cdef class ScannedMessage:
    """A request, with the interface of `message.Message`; see there."""

    cdef bytes _data
    cdef const char *_bytes
    cdef Header _headers[MOST_HEADERS]
    cdef unsigned char _first[KINDS]
    cdef int _count
    cdef int _vias
    cdef Py_ssize_t _start_line_end
    cdef Py_ssize_t _body_at
    cdef Py_ssize_t _body_end
    cdef str _via
    cdef str _from_tag
    cdef str _to_tag
    cdef readonly str method
    cdef readonly str uri
    cdef readonly str call_id
    cdef readonly int status
    cdef readonly long cseq

    # ------------------------------------------------------------------ scanning

    cdef bint _index(self, bytes data):
        """Find the headers; false if the reference had better look."""
        cdef const char *text = PyBytes_AS_STRING(data)
        cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
        cdef const char *found
        cdef Py_ssize_t head, at, end, colon
        cdef int kind, count = 0, vias = 0
        found = <const char *>memmem(text, size if size < LONGEST_HEAD else LONGEST_HEAD, b"\r\n\r\n", 4)
        if found == NULL:
            return False
        head = found - text
        found = <const char *>memchr(text, 13, head + 1)
        self._start_line_end = found - text
        memset(self._first, NONE, KINDS)
        at = self._start_line_end
        while at < head:
            if text[at + 1] != 10:
                return False
            at += 2
            found = <const char *>memchr(text + at, 13, head + 1 - at)
            end = found - text
            if count >= MOST_HEADERS or is_blank(text[at]):
                return False
            found = <const char *>memchr(text + at, 58, end - at)
            if found == NULL:
                return False
            colon = found - text
            if colon == at or memchr(text + at, 10, end - at) != NULL:
                return False
            kind = OTHER
            if colon - at < LONGEST_NAME:
                kind = kind_of(text + at, colon - at)
            if kind == OTHER:
                for i in range(at, colon):
                    if not is_token[<unsigned char>text[i]]:
                        return False
            self._headers[count].start = <unsigned short>at
            self._headers[count].colon = <unsigned short>colon
            self._headers[count].end = <unsigned short>end
            self._headers[count].kind = <unsigned short>kind
            if self._first[kind] == NONE:
                self._first[kind] = <unsigned char>count
            if kind == VIA:
                vias += 1
            count += 1
            at = end
        self._count = count
        self._vias = vias
        self._body_at = head + 4
        self._body_end = size
        self._data = data
        self._bytes = text
        self._via = None
        return True

    cdef bint _start_line(self):
        """Take the request line apart (§7.1); false if it is anything else."""
        cdef const char *text = self._bytes
        cdef Py_ssize_t end = self._start_line_end, method = 0, i
        if end < 16 or memchr(text, 10, end) != NULL:
            return False
        while is_token[<unsigned char>text[method]]:
            method += 1
        if not method or text[method] != 32 or memcmp(text + end - 8, b" SIP/2.0", 8) != 0:
            return False
        if end - 8 <= method + 1:
            return False
        for i in range(method + 1, end - 8):
            if is_odd(text[i]):
                return False
        for name in METHODS:
            if PyUnicode_GET_LENGTH(name) == method and memcmp(one_byte_data(name), text, method) == 0:
                self.method = name
                break
        else:
            self.method = text_of(text, method)
        self.uri = text_of(text + method + 1, end - 8 - method - 1)
        self.status = 0
        return True

    cdef bint _span(self, int at, Py_ssize_t *start, Py_ssize_t *end) noexcept:
        """Where a header's value is, without blanks; false if something odd is at its ends."""
        cdef const char *text = self._bytes
        cdef Py_ssize_t a = self._headers[at].colon + 1, b = self._headers[at].end
        while a < b and is_blank(text[a]):
            a += 1
        while b > a and is_blank(text[b - 1]):
            b -= 1
        start[0] = a
        end[0] = b
        return a == b or not (is_odd(text[a]) or is_odd(text[b - 1]))

    cdef bint _check(self, bint stream):
        """What `parser.read` checks; false if any of it is not as usual."""
        cdef Py_ssize_t start, end, size
        cdef int i, kind, at
        cdef long number
        cdef const char *text = self._bytes
        for kind in (VIA, FROM, TO, CALL_ID, CSEQ):
            if self._first[kind] == NONE:
                return False
        for i in range(self._count):
            kind = self._headers[i].kind
            if self._first[kind] != i and kind != OTHER and kind != VIA:
                for at in range(7):
                    if single[at] == kind:
                        return False
        if not self._span(self._first[CALL_ID], &start, &end) or start == end:
            return False
        self.call_id = text_of(text + start, end - start)
        if not self._span(self._first[CSEQ], &start, &end):
            return False
        number = 0
        i = 0
        while start < end and 48 <= text[start] <= 57 and i < 10:
            number = number * 10 + text[start] - 48
            start += 1
            i += 1
        if not 0 < i < 10 or start >= end or text[start] != 32:
            return False
        start += 1
        size = PyUnicode_GET_LENGTH(self.method)
        if end - start != size or memcmp(one_byte_data(self.method), text + start, size) != 0:
            return False
        self.cseq = number
        if self._first[CONTENT_LENGTH] == NONE:
            return not stream
        if not self._span(self._first[CONTENT_LENGTH], &start, &end) or not 0 < end - start < 6:
            return False
        size = 0
        for i in range(start, end):
            if not 48 <= text[i] <= 57:
                return False
            size = size * 10 + text[i] - 48
        if size > 65536 or size > self._body_end - self._body_at:
            return False
        self._body_end = self._body_at + size
        return True

    # ------------------------------------------------------------------ asking

    cdef int _find(self, str name):
        """Where the first header of this name is, -1 if there is none."""
        kind = kinds.get(name)
        cdef int at
        if kind is not None:
            at = self._first[<int>kind]
            return -1 if at == NONE else at
        if self._first[OTHER] == NONE:
            return -1
        for at in range(self._count):
            if self._headers[at].kind == OTHER and self._name(at) == name:
                return at
        return -1

    cdef str _name(self, int at):
        cdef int kind = self._headers[at].kind
        if kind != OTHER:
            return known_names[kind]
        cdef Py_ssize_t start = self._headers[at].start
        return text_of(self._bytes + start, self._headers[at].colon - start).lower().title()

    cdef str _line(self, int at):
        if self._via is not None and at == self._first[VIA]:
            return self._via
        cdef Py_ssize_t start = self._headers[at].start
        return text_of(self._bytes + start, self._headers[at].end - start)

    cdef str _value(self, int at):
        cdef Py_ssize_t start, end
        if self._via is not None and at == self._first[VIA]:
            return self._via.partition(":")[2].strip()
        cdef bint plain = self._span(at, &start, &end)
        text = text_of(self._bytes + start, end - start)
        return text if plain else text.strip()

    cdef list _all_of(self, str name):
        """The places of all headers of this name."""
        cdef int at = self._find(name)
        if at < 0:
            return []
        cdef int kind = self._headers[at].kind, i
        found = [at]
        for i in range(at + 1, self._count):
            if self._headers[i].kind == kind and (kind != OTHER or self._name(i) == name):
                found.append(i)
        return found

    def has(self, str name):
        return self._find(name) >= 0

    def value(self, str name):
        cdef int at = self._find(name)
        return None if at < 0 else self._value(at)

    def all(self, str name):
        out = []
        for at in self._all_of(name):
            text = self._value(at)
            if "," in text:
                out += split_list(text)
            elif text:
                out.append(text)
        return out

    def whole_lines(self, str name):
        return [self._value(at) for at in self._all_of(name)]

    @property
    def lines(self):
        """All lines as they are now; a tuple, for changes go by methods."""
        first = text_of(self._bytes, self._start_line_end)
        return (first, *[self._line(at) for at in range(self._count)])

    @property
    def names(self):
        return ("/", *[self._name(at) for at in range(self._count)])

    @property
    def body(self):
        return text_of(self._bytes + self._body_at, self._body_end - self._body_at)

    @property
    def from_tag(self):
        if self._from_tag is None:
            self._from_tag = self._tag(self._first[FROM])
        return self._from_tag

    @property
    def to_tag(self):
        if self._to_tag is None:
            self._to_tag = self._tag(self._first[TO])
        return self._to_tag

    cdef str _tag(self, int at):
        """The tag parameter of From or To (§19.3), quick where it is spelt as usual."""
        cdef const char *text = self._bytes
        cdef Py_ssize_t start = self._headers[at].colon + 1, end = self._headers[at].end, after = end
        cdef const char *found
        while after > start and text[after - 1] != 62:
            after -= 1
        found = <const char *>memmem(text + after, end - after, b";tag=", 5)
        if found == NULL:
            if memchr(text + after, 59, end - after) == NULL:
                return ""
            return tag_of(self._value(at))
        start = found - text + 5
        found = <const char *>memchr(text + start, 59, end - start)
        if found != NULL:
            end = found - text
        for after in range(start, end):
            if is_odd(text[after]):
                return tag_of(self._value(at))
        return text_of(text + start, end - start)

    @property
    def via_line(self):
        return self._line(self._first[VIA])

    @via_line.setter
    def via_line(self, str line):
        self._via = line

    @property
    def has_one_via(self):
        return self._vias == 1 and "," not in self._line(self._first[VIA])

    # ------------------------------------------------------------------ changing

    cdef void _splice(self, list places, int before, lines):
        """Take the lines at `places`, in ascending order, out and put others before the one at `before`."""
        cdef Py_ssize_t body = self._body_end - self._body_at, size = self._body_end
        cdef int at, gone = 0
        texts = [(<str>line).encode("latin-1", "replace") for line in lines]
        for text in texts:
            size += PyBytes_GET_SIZE(<bytes>text) + 2
        if self._via is not None:
            size += PyUnicode_GET_LENGTH(self._via)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef char *begin = PyBytes_AS_STRING(out)
        cdef char *to = put(begin, self._bytes, self._start_line_end)
        for at in range(self._count + 1):
            if at == before:
                for text in texts:
                    to = put(to, PyBytes_AS_STRING(<bytes>text), PyBytes_GET_SIZE(<bytes>text))
            if gone < len(places) and at == <int>places[gone]:
                gone += 1
            elif at < self._count:
                to = self._put(to, at)
        memcpy(to, b"\r\n", 2)
        memcpy(to + 2, self._bytes + self._body_at, body)
        if not self._index(out[: to + 2 + body - begin]):
            raise ValueError("a header line that cannot be sent")

    def drop_via_line(self):
        self._splice([self._first[VIA]], 0, ())

    def replace(self, str name, list values):
        cdef list places = self._all_of(name)
        if places or values:
            before = places[0] if places else self._count
            self._splice(places, before, [f"{name}: {value}" for value in values])

    def append(self, lines):
        self._splice([], self._count, lines)

    def set_uri(self, str uri):
        line = f"{self.method} {uri} SIP/2.0".encode("latin-1", "replace")
        via = self._via
        if not self._index(line + self._data[self._start_line_end : self._body_end]):
            raise ValueError("a URI that cannot be sent")
        self._via, self.uri = via, uri

    # ------------------------------------------------------------------ handing on

    def loop_hash(self):
        cdef int route = self._first[ROUTE]
        facts = (
            self.uri,
            self._line(self._first[FROM]),
            self._line(self._first[TO]),
            self.call_id,
            self._line(self._first[CSEQ]),
            "" if route == NONE else self._value(route),
        )
        return hash(facts) & 0xFFFFFFFF

    def fingerprint(self, source):
        data = self._data
        if self._body_end < PyBytes_GET_SIZE(data):  # what is behind the body is not part of it
            data = data[: self._body_end]
        return hash((source, self._via, data))

    def encode(self):
        head = "\r\n".join(self.lines) + "\r\n\r\n"
        return head.encode("latin-1", "replace") + self._data[self._body_at : self._body_end]

    def answer(self, int status, str reason, str to_tag, extra):
        """As `Message.answer`, written straight into the answer's memory."""
        cdef str head = f"SIP/2.0 {status} {reason}"
        cdef bint tagged = to_tag and not self.to_tag
        cdef int at, timestamp = NONE
        cdef Py_ssize_t size = 0
        if status == 100:
            timestamp = self._first[TIMESTAMP]
        if not one_byte(head) or (tagged and not one_byte(to_tag)):
            return self._answer_slowly(head, to_tag if tagged else "", timestamp, extra)
        for line in extra:
            if not one_byte(<str>line):
                return self._answer_slowly(head, to_tag if tagged else "", timestamp, extra)
            size += PyUnicode_GET_LENGTH(<str>line) + 2
        size += PyUnicode_GET_LENGTH(head) + 2 + 21
        for at in range(self._count):
            if self._is_answered(at, timestamp):
                size += self._line_length(at) + 2
        if tagged:
            size += 5 + PyUnicode_GET_LENGTH(to_tag)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef char *to = PyBytes_AS_STRING(out)
        to = put_text(to, head)
        for at in range(self._count):
            if self._headers[at].kind == VIA:
                to = self._put(to, at)
        to = self._put(to, self._first[FROM])
        to = self._put(to, self._first[TO])
        if tagged:
            memcpy(to - 2, b";tag=", 5)
            to = put_text(to + 3, to_tag)
        to = self._put(to, self._first[CALL_ID])
        to = self._put(to, self._first[CSEQ])
        if timestamp != NONE:
            to = self._put(to, timestamp)
        for line in extra:
            to = put_text(to, <str>line)
        memcpy(to, b"Content-Length: 0\r\n\r\n", 21)
        return out

    cdef inline bint _is_answered(self, int at, int timestamp) noexcept:
        cdef int kind = self._headers[at].kind
        return kind == VIA or at == timestamp or (
            (kind == FROM or kind == TO or kind == CALL_ID or kind == CSEQ) and self._first[kind] == at
        )

    cdef Py_ssize_t _line_length(self, int at) noexcept:
        if self._via is not None and at == self._first[VIA]:
            return PyUnicode_GET_LENGTH(self._via)
        return self._headers[at].end - self._headers[at].start

    cdef char *_put(self, char *to, int at) noexcept:
        """Copy one line and its end; returns what is behind it."""
        if self._via is not None and at == self._first[VIA]:
            return put_text(to, self._via)
        cdef Py_ssize_t start = self._headers[at].start
        return put(to, self._bytes + start, self._headers[at].end - start)

    def _answer_slowly(self, head, to_tag, int timestamp, extra):
        out = [head]
        out += [self._line(at) for at in range(self._count) if self._headers[at].kind == VIA]
        out.append(self._line(self._first[FROM]))
        to = self._line(self._first[TO])
        out.append(f"{to};tag={to_tag}" if to_tag else to)
        out.append(self._line(self._first[CALL_ID]))
        out.append(self._line(self._first[CSEQ]))
        if timestamp != NONE:
            out.append(self._line(timestamp))
        out += extra
        out.append("Content-Length: 0\r\n\r\n")
        return "\r\n".join(out).encode("latin-1", "replace")

    def forwarded(self, realms):
        """As `Message.forwarded`, written straight into its memory."""
        cdef const char *text = self._bytes
        cdef int at, kind, hops_at = self._first[MAX_FORWARDS]
        cdef Py_ssize_t body = self._body_end - self._body_at
        cdef Py_ssize_t start, end
        cdef bytes hops = b"Max-Forwards: 70\r\n", length = b"", out
        cdef list needles = []
        if hops_at != NONE:
            hops = b"Max-Forwards: %d\r\n" % (int(self._value(hops_at)) - 1)
        if self._first[CONTENT_LENGTH] == NONE:
            length = b"Content-Length: %d\r\n" % body
        if self._first[PROXY_AUTHORIZATION] != NONE:
            needles = [f'realm="{realm}"'.encode("latin-1", "replace") for realm in realms]
        # Every line but the Via put in its place is at most as long as it came.
        cdef Py_ssize_t most = self._body_at + body + 64
        if self._via is not None:
            most += PyUnicode_GET_LENGTH(self._via)
        out = PyBytes_FromStringAndSize(NULL, most)
        cdef char *begin = PyBytes_AS_STRING(out)
        cdef char *to = begin
        for at in range(self._count):
            kind = self._headers[at].kind
            if kind == MAX_FORWARDS:
                memcpy(to, PyBytes_AS_STRING(hops), PyBytes_GET_SIZE(hops))
                to += PyBytes_GET_SIZE(hops)
                continue
            if kind == PROXY_AUTHORIZATION and self._is_for(at, needles):
                continue
            to = self._put(to, at)
        if hops_at == NONE:
            memcpy(to, PyBytes_AS_STRING(hops), PyBytes_GET_SIZE(hops))
            to += PyBytes_GET_SIZE(hops)
        memcpy(to, PyBytes_AS_STRING(length), PyBytes_GET_SIZE(length))
        to += PyBytes_GET_SIZE(length)
        memcpy(to, b"\r\n", 2)
        to += 2
        memcpy(to, text + self._body_at, body)
        to += body
        return out[: to - begin]

    cdef bint _is_for(self, int at, list needles):
        cdef Py_ssize_t start = self._headers[at].start
        for needle in needles:
            if memmem(self._bytes + start, self._headers[at].end - start,
                      PyBytes_AS_STRING(<bytes>needle), PyBytes_GET_SIZE(<bytes>needle)) != NULL:
                return True
        return False


cdef inline char *put(char *to, const char *text, Py_ssize_t length) noexcept:
    """Copy a text and a line end; returns what is behind them."""
    memcpy(to, text, length)
    memcpy(to + length, b"\r\n", 2)
    return to + length + 2


cdef inline char *put_text(char *to, str text) noexcept:
    """The same of a text of one-byte characters."""
    return put(to, one_byte_data(text), PyUnicode_GET_LENGTH(text))


def scan(bytes data, bint stream):
    """The request in `data`, None if it is anything but a sound request of the usual shape."""
    cdef ScannedMessage message = ScannedMessage.__new__(ScannedMessage)
    if message._index(data) and message._start_line() and message._check(stream):
        return message
    return None


def sibling(bytes invite, bytes method, bytes to, bytes reason):
    """The twin of `transaction.sibling.made_by_search`, None if in doubt."""
    cdef const char *text = PyBytes_AS_STRING(invite)
    cdef const char *found = <const char *>memmem(text, PyBytes_GET_SIZE(invite), b"\r\n\r\n", 4)
    cdef Py_ssize_t head, at, end, colon, digit, length = PyBytes_GET_SIZE(method)
    cdef int kind, tos = 0, cseqs = 0
    if found == NULL:
        return None
    head = found - text
    at = <const char *>memchr(text, 13, head + 1) - text
    if at == head:
        return None
    end = <const char *>memchr(text + at + 2, 13, head - at - 1) - text  # of the top Via
    cdef Py_ssize_t size = head + 2 * length + 64
    size += (PyBytes_GET_SIZE(to) if to is not None else 0) + PyBytes_GET_SIZE(reason)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    cdef char *begin = PyBytes_AS_STRING(out)
    memcpy(begin, PyBytes_AS_STRING(method), length)
    cdef char *next = put(begin + length, text + 6, end - 6)  # behind INVITE
    while end < head:
        if text[end + 1] != 10:
            return None
        at = end + 2
        end = <const char *>memchr(text + at, 13, head + 1 - at) - text
        found = <const char *>memchr(text + at, 58, end - at)
        colon = found - text
        if found == NULL or colon == at or is_blank(text[at]) or is_blank(text[colon - 1]):
            return None
        kind = kind_of(text + at, colon - at) if colon - at < LONGEST_NAME else OTHER
        if kind == TO and to is not None:
            tos += 1
            next = put(next, PyBytes_AS_STRING(to), PyBytes_GET_SIZE(to))
        elif kind == CSEQ:
            cseqs += 1
            at = colon + 1
            while is_blank(text[at]):
                at += 1
            digit = at
            while 48 <= text[digit] <= 57:
                digit += 1
            if digit == at or not is_blank(text[digit]):
                return None
            memcpy(next, b"CSeq: ", 6)
            memcpy(next + 6, text + at, digit - at + 1)
            next += 6 + digit - at
            next[0] = 32
            next = put(next + 1, PyBytes_AS_STRING(method), length)
        elif kind == FROM or kind == TO or kind == CALL_ID or kind == ROUTE or kind == MAX_FORWARDS or (
            kind == SESSION_ID
        ):
            next = put(next, text + at, end - at)
        if tos > 1 or cseqs > 1:
            return None
    if reason:
        next = put(next, PyBytes_AS_STRING(reason), PyBytes_GET_SIZE(reason))
    memcpy(next, b"Content-Length: 0\r\n\r\n", 21)
    return out[: next + 21 - begin]


def usual_via(str line):
    """(sent-by, branch) of a top Via that has nothing else but perhaps an empty rport, None if in doubt."""
    if not one_byte(line):
        return None
    cdef const char *chars = one_byte_data(line)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(line), at = 13, host, port, branch
    if size < 32 or memcmp(chars, b"Via: SIP/2.0/", 13) != 0:
        return None
    for transport in TRANSPORTS:
        host = 13 + PyBytes_GET_SIZE(<bytes>transport)
        if memcmp(chars + 13, PyBytes_AS_STRING(<bytes>transport), host - 13) == 0:
            break
    else:
        return None
    at = host
    while at < size and (is_of_host[<unsigned char>chars[at]]):
        at += 1
    port = at + 1
    if at == host or at >= size or chars[at] != 58:
        return None
    at = port
    while at < size and 48 <= chars[at] <= 57:
        at += 1
    if not 0 < at - port < 6 or at + 9 > size or memcmp(chars + at, b";branch=", 8) != 0:
        return None
    sent_by = text_of(chars + host, at - host)
    at += 8
    branch = at
    while at < size and is_token[<unsigned char>chars[at]]:
        at += 1
    if at == branch or not (at == size or (size - at == 6 and memcmp(chars + at, b";rport", 6) == 0)):
        return None
    return sent_by, text_of(chars + branch, at - branch)


def credentials(str text):
    """The fields of Digest credentials (RFC 7616 §3.4) in the usual spelling, None if in doubt.

    `text` begins with `Digest` and a blank.
    """
    if not one_byte(text):
        return None
    cdef const char *chars = one_byte_data(text)
    cdef Py_ssize_t size = PyUnicode_GET_LENGTH(text), at = 7, start, length
    cdef dict fields = {}
    while True:
        start = at
        while at < size and is_token[<unsigned char>chars[at]]:
            at += 1
        length = at - start
        if at >= size or chars[at] != 61:
            return None
        for name in FIELDS:
            if PyUnicode_GET_LENGTH(<str>name) == length and memcmp(one_byte_data(<str>name), chars + start, length) == 0:
                break
        else:
            return None
        at += 1
        start = at
        if at < size and chars[at] == 34:
            at += 1
            start = at
            while at < size and chars[at] != 34:
                if chars[at] == 92:
                    return None
                at += 1
            if at >= size:
                return None
            fields[name] = text_of(chars + start, at - start)
            at += 1
        else:
            while at < size and is_token[<unsigned char>chars[at]]:
                at += 1
            fields[name] = text_of(chars + start, at - start)
        if at == size:
            return fields
        if chars[at] != 44:
            return None
        at += 1
        if at < size and chars[at] == 32:
            at += 1


def split_response(bytes data):
    """(branch, the rest without its top Via) of a whole response (§16.7 step 3), None if in doubt.

    It is whole if it ends where its Content-Length says.
    """
    cdef const char *text = PyBytes_AS_STRING(data)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(data)
    cdef const char *found = <const char *>memmem(text, size, b"\r\n\r\n", 4)
    cdef Py_ssize_t head, at, start, end, branch, after, comma, length = 0
    if found == NULL or size < 12 or text[11] != 32:
        return None
    head = found - text
    found = <const char *>memmem(text, head + 2, b"\r\nContent-Length: ", 18)
    if found == NULL:
        return None
    at = found - text + 18
    while text[at] == 32:
        at += 1
    start = at
    while at < head and at < start + 9 and 48 <= text[at] <= 57:
        length = length * 10 + text[at] - 48
        at += 1
    if at == start or memcmp(text + at, b"\r\n", 2) != 0 or length != size - head - 4:
        return None
    found = <const char *>memmem(text, head, b"\r\n", 2)
    if found == NULL:
        return None
    start = found - text + 2
    if head - start < 16 or memcmp(text + start, b"Via: ", 5) != 0:
        return None
    found = <const char *>memmem(text + start, head + 2 - start, b"\r\n", 2)
    end = found - text
    found = <const char *>memmem(text + start, end - start, b";branch=", 8)
    if found == NULL:
        return None
    branch = found - text + 8
    # Several Vias may share the line; ours has no comma and no quotes, so the first comma ends it.
    found = <const char *>memchr(text + start, 44, end - start)
    comma = -1 if found == NULL else found - text
    if comma >= 0 and comma < branch:
        return None
    after = branch
    while after < end and text[after] != 59 and text[after] != 44:
        if is_odd(text[after]):
            return None
        after += 1
    name = PyBytes_FromStringAndSize(text + branch, after - branch)
    cdef Py_ssize_t keep = start if comma < 0 else start + 4
    cdef Py_ssize_t go_on = end + 2 if comma < 0 else comma + 1
    cdef bytes rest = PyBytes_FromStringAndSize(NULL, keep + size - go_on)
    cdef char *to = PyBytes_AS_STRING(rest)
    memcpy(to, text, keep)
    memcpy(to + keep, text + go_on, size - go_on)
    return name, rest

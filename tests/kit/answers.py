"""Answers of receivers whose status line is good and whose rest is not."""

#: By what is odd about them.
ODD = {
    "short body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
    "no body at all": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
    "unfinished chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\npart",
    "no last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "204 with a body unannounced": b"HTTP/1.1 204 No Content\r\n\r\nhello",
    "204 with chunks": b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "205 with a body": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok",
    "garbage after": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\0\xff and more\r\n\r\n",
    "broken gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8bxx",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
    "broken header": b"HTTP/1.1 201 Created\r\nno colon here\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\nServer: x\r\n",
    "early hints before": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nx",
    "many headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"X-%d: y\r\n" % n for n in range(90))
    + b"Content-Length: 9\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
}

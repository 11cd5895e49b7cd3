"""How does a test get the server of Windows? `python -m tests.waitress_server --bind=…`"""

from argparse import ArgumentParser

from authdemo.web_server import listen, serve_with_waitress

if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--bind", required=True, metavar="HOST:PORT")
    host, _, port = parser.parse_args().bind.partition(":")
    serve_with_waitress(listen(host, int(port)))

"""What has to hold, about people, programs with a key, and attacks."""
from __future__ import annotations
import os, shutil, tempfile, unittest, json
from pathlib import Path
from house import House, URL

house: House

def setUpModule():
    global house, folder
    folder = Path(tempfile.mkdtemp(prefix="vestibule-claudelens-"))
    house = House(folder)

def tearDownModule():
    house.close()

class A(unittest.TestCase):
    def test_a(self):
        print(house.ask("/api/v1/users"))
        b = house.browser("alice")
        print(house.ask("/api/v1/auth/me", "alice"))
        print(house.ask("/auth/token", "alice", "POST"))
        print(house.ask("/auth/logout", "alice", "GET")[0].status)
        print(house.ask("/files/", "alice"))
        print(house.ask("/login", "alice"))
        print(house.ask("/dashboard", "alice", client="127.0.0.1"))
        print(folder)

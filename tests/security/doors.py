"""The doors that strangers try, one sentence each. Tests name theirs with `@pytest.mark.door(number)`.

SECURITY.md lists the same doors in the same words, and tests/contract holds both to each other.
"""

from __future__ import annotations

DOORS: dict[int, str] = {
    1: "A link below models/ or .tfmodel/ leads nowhere: nothing is read, written or removed through it.",
    2: "A manifest or model that lies in the folder already is input: checked, bounded, and never a reason to fail.",
    3: "A folder that was exchanged after the POST is not trained on, whatever the message says.",
    4: "Text files of the project are read like pictures: regular, inside the project, and not beyond a bound.",
    5: "Link loops, pipes, devices and endless files are skipped and listed; a cancel ends hashing within a second.",
    6: "Damaged or hostile files below .tfmodel/ are ignored and made anew.",
    7: "No picture takes more than a bounded amount of memory, alone or with others.",
    8: "Exported files are checked in a folder of our own, where nobody else can exchange them.",
    9: "A project folder that was deleted during its training is not made again.",
    10: "On one machine only the service's own user reaches its sockets; over TCP only holders of a role's key do.",
    11: "No message can stop the service for good, however large it is.",
    12: "A task id that is not 32 hexadecimal digits names nothing.",
    13: "A web page of another origin, and a foreign Host, are refused before anything is done.",
    14: "Idle and slow connections end, and a crowd of them leaves room for others.",
    15: "A body that is too large is refused unread, on every path.",
    16: "Tokens are stored as hashes, belong to a user where wanted, and reach no log.",
    17: "Every form of a call that a client may send is read or refused with a sentence.",
    18: "A backup is whole while the service runs; a damaged or missing journal is reported before anything starts.",
    19: "A folder or request that is at fault costs nobody a warm trainer process.",
    20: "No name that a stranger chooses can forge a line of a log.",
    21: "The service runs without any right to change its own code.",
    22: "Project files that callers get run no script and send nothing; no other file and no changed model is sent.",
    23: "No webhook reaches this machine or a private network unless it is named, however a URL leads there.",
    24: "A model answers only if its bytes have the hash of the journal; no picture harms the answer to another one.",
    25: "Folders and pictures are shown from below the data roots only, to callers who may see them, through no link.",
    26: "A browser's session is worth no more than its token, and counts only for pages of this server.",
    27: "An upload stores what begins as a picture, in a folder of its own user, through no link and over no file.",
    28: "Corrections are written to corrections.csv of their folder alone, through no link, and never as a formula.",
    29: "The keys of a worker are in its agent's environment alone: in no argument, log, trace or child process.",
    30: "A project in object storage lies below a data root, and no caller chooses the server that is asked.",
    31: "No credential of object storage reaches an answer, a log or the journal.",
    32: "The name of an object leads nowhere but into its own project's copy; one that no folder can hold is said.",
    33: "An attempt that comes too late changes no file of the model that another one has published.",
}

"""Words of interfaces, brands and documentation that training texts are full of."""

from __future__ import annotations

APPS = """\
Google Chrome|Mozilla Firefox|Microsoft Edge|Outlook|Microsoft Teams|Slack
Visual Studio Code|Excel|Word|PowerPoint|Notepad|Finder|Terminal|Files|Thunderbird
LibreOffice Writer|LibreOffice Calc|GIMP|Adobe Acrobat Reader|Zoom|Safari|Jira|Confluence
Salesforce|SAP Logon|File Explorer|PuTTY|WhatsApp|Telegram Desktop|Signal|Notion|Discord
Gmail|Google Docs|Google Sheets|Trello|Figma|Blender|OneNote|Skype|Opera|Brave|Evernote
Todoist|Asana|Miro|Zendesk|HubSpot|Shopify|WordPress|Webex|Dropbox|KeePass|Audacity
Inkscape|Krita"""

BRANDS = """\
Python|Java|JavaScript|TypeScript|Rust|Go|Kotlin|Swift|Ruby|Perl|Scala|Haskell|Erlang
Julia|Linux|Windows|Android|macOS|iPhone|Ubuntu|Debian|Fedora|Docker|Kubernetes|Helm
Terraform|Ansible|Jenkins|GitHub|GitLab|Bitbucket|Apache|Apache Beam|Apache Spark
Apache Flink|Kafka|Hadoop|Hive|Airflow|Dask|Ray|Django|Flask|FastAPI|Starlette|Jinja|React
Angular|Vue|Svelte|Node|Express|Spring|PostgreSQL|Postgres|MySQL|SQLite|MongoDB|Redis
Cassandra|Elasticsearch|Solr|Lucene|Parquet|Arrow|Avro|NumPy|SciPy|Pandas|Matplotlib
Jupyter|IPython|Conda|Anaconda|Poetry|Sphinx|Read the Docs|Tox|Selenium|Playwright|Cypress
Puppeteer|Chromium|WebKit|Mozilla|Firefox|Chrome|Amazon|Amazon S3|AWS|Azure|Google Cloud
Dataflow|BigQuery|Lambda|Nginx|Gunicorn|Celery|RabbitMQ|Prometheus|Grafana|Vault|Consul
Nomad|Vagrant|Puppet|Chef|Salt|Bash|Zsh|Vim|Emacs|Eclipse|PyCharm|IntelliJ|Xcode|Maven
Gradle|Bazel|CMake|Clang|Unicode|Bluetooth|Wi-Fi|Ethernet|Intel|Nvidia|CUDA|TensorFlow
PyTorch|Keras|Hugging Face|Unity|Stripe|PayPal|Visa|Mastercard|Netflix|Spotify|YouTube
Wikipedia|Reddit|Twitter|Facebook|Instagram|LinkedIn|Pinterest|Uber|Airbnb|Booking|Tesla
Toyota|Honda|Ford|Siemens|Bosch|Philips|Samsung|Sony|Panasonic|Lenovo|Dell|Nikon|Canon
Adidas|Nike|Puma|Ikea|Lego|Nestle|Pepsi|Heineken|Nokia|Ericsson"""

INTERFACE = """\
Save|Cancel|OK|Submit|Log in|Log out|Sign in|Sign up|Next|Back|Continue|Settings
Preferences|Help|Search|Send|Reply|Forward|Delete|Archive|Edit|View|File|Home|Insert
Page Layout|Formulas|Data|Review|Dashboard|New tab|Open|Close|Share|Download|Upload
Add to cart|Checkout|My Account|Order history|Notifications|Inbox|Drafts|Sent|Spam|Trash
Calendar|Contacts|Tasks|Forgot password?|Remember me|Terms of Service|Privacy Policy
Show more|Load more|Compose|Apply|Reset|Filter|Sort by|Export|Import|Print|Undo|Redo|Copy
Paste|Select all|Rename|Properties|Refresh|Full screen|Zoom in|Create account
Two-factor authentication|Billing|Plans|Team members|Invite|Roles|Audit log|API keys
Webhooks|Integrations|Today|Yesterday|English|German|French|Spanish|Christmas|Internet
Captcha|Version|Error|Warning|Info|Debug|Success|Failed|Pending|Total|Subtotal|Tax
Quantity|Price|Description|Category|Status|Priority|High|Medium|Low|Due date|Created
Updated|Backlog|To do|In progress|Done|Blocked|Open issues|Pull requests|Actions|Basket
Wishlist|Favourites|Voucher|Delivery|Payment method|Credit card|Invoice|Receipts|Starred
Bin|Board|Card|List|Label|Column|Comment|Attachment|Checklist|Move|Sort|Group|Hide|Show
Collapse|Expand"""

JOBS = """\
engineer|manager|teacher|nurse|accountant|lawyer|designer|developer|analyst|consultant
driver|singer|actor|footballer|politician|journalist|chef|director|professor|photographer
captain|striker|president|spokesman|minister|coach|editor|painter|surgeon|clerk|baker
librarian|gardener|plumber"""

MONTHS = """\
January|February|March|April|May|June|July|August|September|October|November|December"""
WEEKDAYS = """\
Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"""
NATIONALITIES = """\
American|British|German|French|Spanish|Italian|Dutch|Polish|Swedish|Danish|Finnish
Norwegian|Portuguese|Turkish|Greek|Russian|Japanese|Chinese|Korean|Indian|Brazilian
Mexican|Irish|Swiss"""
TITLES = "Mr.|Mrs.|Ms.|Dr.|Prof.|Mr|Mrs|Miss|Sir|Herr|Frau|Mme|Dr"
COMPANY_TAILS = """\
Inc|Inc.|LLC|Ltd|Ltd.|Corp|Corp.|GmbH|Group|Labs|Systems|Technologies|Software|Bank
Airlines|Holdings|AG|S.A.|Solutions|Partners|Motors|Energy|Industries|Media|plc|Co.|& Co.
& Sons"""
ORG_HEADS = (
    """University of|Bank of|Ministry of|Department of|Institute of|City of|Museum of|College of"""
)
ORG_TAILS = """\
University|City Council|Police|Hospital|Airlines|Times|High School|Chamber of Commerce
Library|Orchestra|Theatre|Zoo|Airport|Museum"""
EXTENSIONS = "txt|pdf|docx|py|csv|png|json|xlsx|md|html"
HOSTS = "ubuntu|web01|localhost|db.internal|laptop|prod-3|raspberrypi|build-7"
SYSTEM_USERS = "admin|root|deploy|jenkins|postgres|www-data|nobody|guest|test|ubuntu|git|backup"


def split(text: str) -> tuple[str, ...]:
    """Returns the entries of one of the texts above."""
    return tuple(part.strip() for part in text.replace("\n", "|").split("|") if part.strip())

"""What the person does in Orchard Lane."""

from __future__ import annotations

from recording.person import Person
from recording.scripts import PHONE, Script

URL = "http://orchard.test/"
MAIL_URL = "http://postbox.test/"


def fill_basket(person: Person) -> None:
    """Searches, orders three jars of honey, looks around, redeems a voucher."""
    page = person.page
    person.wander()
    with person.does("search_products", query="honey"):
        person.click(page.get_by_label("Search products"))
        person.type("hon")
        person.type("ney\b\b\bey")
        person.look()
        person.press("Enter")
    person.look()
    person.click(page.get_by_role("link", name="Acacia honey"))
    person.look()
    with person.does("add_to_cart", product="Acacia honey", quantity=3):
        person.click(page.get_by_label("Quantity"))
        person.press("ArrowUp", times=2)
        person.look()
        person.click(page.get_by_role("button", name="Add to basket"))
    person.look()
    person.click(page.get_by_role("link", name="Basket"))
    person.look()
    person.wander()
    with person.does("apply_coupon", code="TEATIME5"):
        person.click(page.get_by_label("Voucher code"))
        person.type("TEATIME5")
        person.look()
        person.click(page.get_by_role("button", name="Apply voucher"))
    person.look()
    person.wander()


def order_on_a_sharp_screen(person: Person) -> None:
    """Filters, sorts, adds a product and orders; on a screen with two pixels per CSS pixel."""
    page = person.page
    person.wander()
    with person.does("filter_organic", only_organic=True):
        person.click(page.get_by_label("Organic only"))
    person.look()
    with person.does("set_price_limit", max_price=5):
        box = page.get_by_label("Highest price").bounding_box()
        assert box
        y = box["y"] + box["height"] / 2
        # The thumb is at the right end; each of the ten steps is a tenth of the track.
        person.drag((box["x"] + box["width"] - 8, y), (box["x"] + 8 + (box["width"] - 16) * 0.3, y))
    person.look()
    person.wander()
    with person.does("sort_products", order="Price: high to low"):
        # From the slider back to the list of sort orders; the arrow keys choose.
        person.press("Shift+Tab")
        person.press("ArrowDown", times=2)
    person.scroll(3)
    person.look()
    person.scroll(-3)
    with person.does("add_to_cart", product="Brown eggs", quantity=1):
        person.click(page.get_by_role("button", name="Add Brown eggs to basket"))
    person.click(page.get_by_role("link", name="Basket"))
    person.wander()
    person.click(page.get_by_role("button", name="Go to checkout"))
    address = "9 Weavers Row, Elmbridge EB2 3HN"
    order = {
        "full_name": "Ilse Vantongeren",
        "address": address,
        "delivery_slot": "Evening (17–21)",
        "leave_at_door": True,
    }
    with person.does("place_order", **order):
        person.click(page.get_by_label("Full name"))
        person.type("Ilse Vantongeren\t")
        person.type("01632 960042\t")
        # The browser offers the address it knows, which arrives in one piece.
        person.insert(address)
        person.press("Tab")
        person.press("ArrowDown", times=3)
        person.click(page.get_by_label("Leave at the door"))
        person.look()
        person.click(page.get_by_role("button", name="Place order"))
    person.look()
    person.wander()


def shop_on_a_phone(person: Person) -> None:
    """Taps, presses long, pinches and swipes on a small touch screen."""
    page = person.page
    person.swipe((200, 560), 0, -260)
    person.swipe((200, 300), 0, 330)
    with person.does("search_products", query="ch"):
        person.tap(page.get_by_label("Search products"))
        person.type_on_glass("ch")
        person.press("Enter")
    person.look()
    with person.does("add_to_favourites", product="Dark chocolate"):
        person.long_press(page.get_by_label("Picture of Dark chocolate"))
        person.look()
        person.tap(page.get_by_role("menuitem", name="Add to favourites"))
    person.look()
    person.tap(page.get_by_role("link", name="Cherry tomatoes"))
    person.look()
    picture = page.get_by_label("Picture of Cherry tomatoes")
    person.pinch(picture, 30, 80)
    person.look()
    person.swipe(picture, -150, 4)
    person.look()
    with person.does("rate_product", product="Walnut pieces", stars=4):
        person.tap(page.get_by_role("radio", name="4 stars"))
    person.look()
    with person.does("add_to_cart", product="Walnut pieces", quantity=1):
        person.tap(page.get_by_role("button", name="Add to basket"))
    person.look()


def redeem_voucher_from_mail(person: Person) -> None:
    """Fills and changes the basket, then fetches a voucher code from the mail in another tab."""
    shop = person.page
    person.wander()
    with person.does("add_to_cart", product="Rye sourdough", quantity=1):
        person.click(shop.get_by_role("button", name="Add Rye sourdough to basket"))
    person.scroll(6)
    with person.does("add_to_cart", product="Olive oil", quantity=1):
        person.click(shop.get_by_role("button", name="Add Olive oil to basket"))
    person.scroll(-6)
    person.click(shop.get_by_role("link", name="Basket"))
    with person.does("set_quantity", product="Olive oil", quantity=2):
        person.click(shop.get_by_label("Quantity of Olive oil"))
        person.press("ArrowUp")
    person.look()
    with person.does("remove_from_cart", product="Rye sourdough"):
        person.click(shop.get_by_role("button", name="Remove Rye sourdough"))
    person.look()
    mail = person.open(MAIL_URL)
    person.click(mail.get_by_role("link", name="A voucher for you"))
    person.look()
    person.copy_text(mail.locator(".letter"), "SPRING-15-QK")
    person.switch_to(shop)
    with person.does("apply_coupon", code="SPRING-15-QK"):
        person.click(shop.get_by_label("Voucher code"))
        person.press("Control+v")
        person.look()
        person.press("Enter")
    person.look()
    person.wander()


SCRIPTS = [
    Script(
        "shop-fill-basket",
        user="ilse",
        url=URL,
        run=fill_basket,
        description="Find the honey, put three jars into my basket and use the voucher TEATIME5.",
    ),
    Script(
        "shop-order-on-a-sharp-screen",
        user="ilse",
        url=URL,
        run=order_on_a_sharp_screen,
        pixel_ratio=2,
        description="Order the dearest organic product up to 5, to be delivered in the evening and "
        "left at the door of 9 Weavers Row.",
    ),
    Script(
        "shop-on-a-phone",
        user="bram",
        url=URL,
        run=shop_on_a_phone,
        viewport=PHONE,
        pixel_ratio=1.5,
        touch=True,
        description="Remember the dark chocolate as a favourite, give the walnuts four stars and "
        "put them into the basket.",
    ),
    Script(
        "shop-voucher-from-mail",
        user="nora",
        url=URL,
        run=redeem_voucher_from_mail,
        suite="Orchard Lane",
        description="Two bottles of olive oil, please, and use the voucher that came by mail.",
    ),
]

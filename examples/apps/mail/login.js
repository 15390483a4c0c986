"use strict";
const password = document.getElementById("password");
const reveal = document.getElementById("reveal");

reveal.addEventListener("click", () => {
  const show = password.type === "password";
  password.type = show ? "text" : "password";
  reveal.textContent = show ? "Hide password" : "Show password";
  reveal.setAttribute("aria-pressed", String(show));
});

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const account = await api("POST", "/api/login", {
      username: form.username.value,
      password: form.password.value,
      stay_signed_in: form.stay_signed_in.checked,
    });
    sessionStorage.setItem("token", account.token);
    location.href = "/";
  } catch (error) {
    document.getElementById("problem").textContent = error.message;
  }
});

// Where a component begins. The SDK comes first, so that the game finds Math.random already routed to the host.
import { component } from "ludus";
import Game from "./source/game.js";

export const game = component(Game);
